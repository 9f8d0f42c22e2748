package memory

// ResetNames are all ways to reset, to be forced one by one.
func ResetNames() (names []string) {
	for _, c := range allTactics() {
		names = append(names, c.name)
	}
	return names
}

// NewBudgetResetBy makes a budget whose memories are reset in one way, of
// whatever size they are.
func NewBudgetResetBy(name string, limit int64) (*Budget, error) {
	b := NewBudget(limit)
	for _, c := range allTactics() {
		if c.name == name {
			if err := c.use(b); err != nil {
				return nil, err
			}
			if c.name != "copying" {
				b.tactics.copyUpTo = 0
			}
			return b, nil
		}
	}
	panic("no way to reset is called " + name)
}

// DropPages is how many private pages a reset keeps.
const DropPages = dropPages

// Relearn is after how many resets they are dropped.
const Relearn = relearn

// ResetsByPages reports whether Verify found a way to tell which pages were written.
func (b *Budget) ResetsByPages() bool { return b.tactics.pages != nil }

// VerifySpoilt is Verify on a system that tells of written pages what spoil makes
// of it.
func (b *Budget) VerifySpoilt(spoil func(from, to int) (int, int)) error {
	choices := allTactics()
	for i, c := range choices {
		if c.way == nil {
			continue
		}
		choices[i].way = &way{c.name, func(p *pagemap, v view, at int, s *scratch) ([]span, int, error) {
			found, next, err := c.way.find(p, v, at, s)
			for i, f := range found {
				found[i].from, found[i].to = spoil(f.from, f.to)
			}
			return found, next, err
		}}
	}
	return b.verify(choices)
}
