package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// VerifyShrink proves that rt takes a memory that is larger than the module asked
// for, and takes a smaller one when it grows: what OpenImage and Reset rely on and
// wazero does not document. After an error, Reset refuses memories that were grown,
// and no account must be opened on an image larger than the module's memory. It is
// called after Verify.
func (b *Budget) VerifyShrink(ctx context.Context, rt wazero.Runtime) error {
	err := b.verifyShrink(ctx, rt)
	b.tactics.rigid = err != nil
	return err
}

func (b *Budget) verifyShrink(ctx context.Context, rt wazero.Runtime) error {
	image, err := NewImage(make([]byte, 2*pageBytes))
	if err != nil {
		return err
	}
	defer image.Close()
	a := NewAccount(&Budget{tactics: b.tactics}, 5*pageBytes)
	defer a.Close()
	if !a.OpenImage(image) {
		return errors.New("memory: the system has no memory for a trial")
	}
	compiled, err := rt.CompileModule(ctx, []byte(shrinkTrial))
	if err != nil {
		return fmt.Errorf("memory: compile a trial: %w", err)
	}
	defer compiled.Close(ctx)
	config := wazero.NewModuleConfig().WithName("").WithStartFunctions()
	instance, err := rt.InstantiateModule(experimental.WithMemoryAllocator(ctx, a), compiled, config)
	if err != nil {
		return fmt.Errorf("memory: instantiate a trial: %w", err)
	}
	defer instance.Close(ctx)
	if err := tryShrink(ctx, a, instance); err != nil {
		return fmt.Errorf("memory: wazero does not shrink memories as expected: %w", err)
	}
	return nil
}

// shrinkTrial is a module with a memory of one page and functions size, grow, load
// and store, which are one instruction each.
const shrinkTrial = "\x00asm\x01\x00\x00\x00" +
	"\x01\x0f\x03`\x01\x7f\x01\x7f`\x02\x7f\x7f\x00`\x00\x01\x7f" +
	"\x03\x05\x04\x00\x01\x02\x00" +
	"\x05\x03\x01\x00\x01" +
	"\x07'\x05\x06memory\x02\x00\x04load\x00\x00\x05store\x00\x01\x04size\x00\x02\x04grow\x00\x03" +
	"\x0a\x1f\x04\x07\x00 \x00-\x00\x00\x0b\x09\x00 \x00 \x01:\x00\x00\x0b\x04\x00?\x00\x0b\x06\x00 \x00@\x00\x0b"

// tryShrink grows from 2 pages to 5 and resets, as the instance's own code sees it.
func tryShrink(ctx context.Context, a *Account, instance api.Module) error {
	call := func(name string, args ...uint64) (uint64, error) {
		results, err := instance.ExportedFunction(name).Call(ctx, args...)
		return append(results, 0)[0], err
	}
	const last = 4 * pageBytes // an address in the last page
	for turn := 0; ; turn++ {
		if pages, err := call("size"); err != nil || pages != 2 {
			return fmt.Errorf("its size is %d pages, not the image's 2 (error %v)", pages, err)
		}
		if _, err := call("load", last); err == nil {
			return errors.New("what is beyond it can be read")
		}
		if turn == 2 {
			return nil
		}
		if pages, err := call("grow", 3); err != nil || pages != 2 {
			return fmt.Errorf("it does not grow (error %v)", err)
		}
		if left, err := call("load", last); err != nil || left != 0 {
			return fmt.Errorf("it grows by %d and not by zeros (error %v)", left, err)
		}
		if _, err := call("store", last, 1); err != nil {
			return err
		}
		if err := a.Reset(func() bool { _, ok := instance.Memory().Grow(1); return ok }); err != nil {
			return err
		}
	}
}
