package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime/wasm"
)

// prepared is a module as the cache keeps it: admitted, found valid, rewritten,
// and what its instances need besides its code.
type prepared struct {
	code []byte
	data []wasm.Run
	traits
	// File holds the compiled code, in the engine's cache; "" if it is not known, as
	// this process compiles by itself.
	File string
}

// traits are what is known of a module's instances.
type traits struct {
	// Footprint is what an instance takes outside its memory, in bytes.
	Footprint int64
	// Globals is how many mutable globals the module has.
	Globals int
	// Starts says that it has a start function.
	Starts bool
	// Unrestorable says why no image of it can be used, "" if one can.
	Unrestorable string
}

// prepare reads module without trusting it, has the interpreter find it valid,
// and only then rewrites it: what is not valid may become so.
func prepare(ctx context.Context, module []byte, caps Caps) (*prepared, error) {
	read, err := wasm.Read(module, caps)
	if err != nil {
		return nil, &refusal{err}
	}
	if err := validate(ctx, read.Stripped()); err != nil {
		return nil, &refusal{fmt.Errorf("the module is not valid: %s", abi.Printable(err.Error(), messageBytes))}
	}
	p := &prepared{traits: traits{
		Footprint: read.Footprint(), Globals: read.MutableGlobals(), Starts: read.Starts(), Unrestorable: read.Unrestorable(),
	}}
	if p.data, err = read.Data(); err != nil {
		return nil, &refusal{err}
	}
	if p.code, err = wasm.Rewrite(read, wasm.Options{Image: true, StackBytes: freeStack}); err != nil {
		return nil, &refusal{err}
	}
	return p, nil
}

// contents say how the bytes that follow are divided.
type contents struct {
	Code   int
	Data   [][2]uint32 // offset and length
	Traits traits
}

// encode writes the name of the file and the contents, on a line each, then the
// code and the data.
func (p *prepared) encode() []byte {
	c := contents{Code: len(p.code), Traits: p.traits}
	for _, run := range p.data {
		c.Data = append(c.Data, [2]uint32{run.Offset, uint32(len(run.Bytes))})
	}
	line, _ := json.Marshal(c) // numbers and texts
	out := append(append([]byte(p.File), '\n'), append(line, '\n')...)
	out = append(out, p.code...)
	for _, run := range p.data {
		out = append(out, run.Bytes...)
	}
	return out
}

// nameBytes is more than the name of a file of code has.
const nameBytes = 200

// fileOf returns the name of the file from the start of what encode wrote.
func fileOf(file []byte) (string, error) {
	line, _, found := bytes.Cut(file[:min(len(file), nameBytes)], []byte{'\n'})
	name := string(line)
	if !found || name != "" && name != filepath.Base(name) {
		return "", errSeal
	}
	return name, nil
}

// decode refers to file's bytes.
func decode(file []byte) (*prepared, error) {
	name, err := fileOf(file)
	if err != nil {
		return nil, err
	}
	line, rest, _ := bytes.Cut(file[len(name)+1:], []byte{'\n'})
	var c contents
	if err := json.Unmarshal(line, &c); err != nil || c.Code < 0 || c.Code > len(rest) {
		return nil, errSeal
	}
	p := &prepared{code: rest[:c.Code], traits: c.Traits, File: name}
	rest = rest[c.Code:]
	for _, d := range c.Data {
		if uint64(d[1]) > uint64(len(rest)) {
			return nil, errSeal
		}
		p.data = append(p.data, wasm.Run{Offset: d[0], Bytes: rest[:d[1]]})
		rest = rest[d[1]:]
	}
	return p, nil
}
