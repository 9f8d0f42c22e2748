package runtime

import (
	"context"
	"fmt"

	"github.com/cloche-run/cloche/abi"
)

// tryPause proves that wazero puts a paused command back to where it paused,
// again and again, which is more than it documents.
func tryPause(ctx context.Context) error {
	e, err := New(ctx, Config{trial: true})
	if err != nil {
		return err
	}
	defer e.Close(ctx)
	f, err := e.Load(ctx, []byte(pauseTrial), FunctionConfig{Name: "trial"})
	if err != nil {
		return err
	}
	defer f.Close(ctx)
	if err := f.Warm(ctx); err != nil {
		return err
	}
	for n := range 4 {
		resp := &abi.Response{Body: &abi.Buffer{}}
		usage, err := f.Invoke(ctx, &abi.Request{}, resp)
		if err != nil || resp.Status != 201 || usage.InitFuel > 0 {
			return fmt.Errorf("call %d of a paused command: status %d, fuel before %d, %w", n, resp.Status, usage.InitFuel, err)
		}
	}
	return nil
}

// pauseTrial is a command that reads its input in the middle of a loop of three
// rounds, keeps the round in a local, a count of requests in a global and in
// memory, and answers with status 201 if all is as it should be. A test builds it.
const pauseTrial = "\x00asm\x01\x00\x00\x00\x01\f\x02`\x04\x7f\x7f\x7f\x7f\x01\x7f`\x00\x00\x02D\x02\x16wasi_snapshot_preview1\afd_read\x00\x00\x16wasi_snapshot_preview1\bfd_write\x00\x00\x03\x02\x01\x01\x05\x03\x01\x00\x01\x06\x06\x01\x7f\x01A\x00\v\a\x13\x02\x06memory\x02\x00\x06_start\x00\x02\nZ\x01X\x01\x01\x7f\x03@A\x00A\x00A\x01A\x10\x10\x00\x04@\x00\v#\x00A\x01j$\x00A\x14A\x14(\x02\x00A\x01j6\x02\x00 \x00A\x01j\"\x00#\x00G\x04@\x00\v \x00A\x14(\x02\x00G\x04@\x00\v \x00A\x03G\r\x00\vA\x01A\bA\x01A\x10\x10\x01\x04@\x00\v\v\v2\x03\x00A\x00\v\b@\x00\x00\x00\x00\x80\x00\x00\x00A\b\v\b \x00\x00\x00\x12\x00\x00\x00\x00A \v\x12{\"statusCode\":201}"
