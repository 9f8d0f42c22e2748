package usage

import "testing"

// FuzzFile reads any bytes as usage.json: what is accepted keeps to the bounds.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"version":1,"months":{"2026-11":{"f":{"invocations":7,"errors":1,"run_time_ns":5,"fuel":9}}}}`))
	f.Add([]byte(`{"version":1,"months":{"0000-01":null,"9999-12":{"":{}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		months, err := decode(text)
		if err == nil && len(months) > MaxMonths {
			t.Errorf("%d months", len(months))
		}
		for month := range months {
			var again Month
			if err := again.UnmarshalText([]byte(month.String())); err != nil || again != month {
				t.Errorf("%v is read again as %v, %v", month, again, err)
			}
		}
	})
}
