package wasi

import "encoding/binary"

func argsSizesGet(c *call) Errno { return c.sizes(c.sys.config.Args, nil) }
func argsGet(c *call) Errno      { return c.texts(c.sys.config.Args, nil) }

func environGet(c *call) Errno { return c.texts(c.sys.config.Env, c.sys.env) }

func environSizesGet(c *call) Errno {
	if c.sys.pause.at == AtEnviron {
		c.awaitRequest()
	}
	return c.sizes(c.sys.config.Env, c.sys.env)
}

// sizes: how many texts, and their bytes together, each with its NUL.
func (c *call) sizes(a, b []string) Errno {
	if errno := c.putU32(c.u32(0), uint32(len(a)+len(b))); errno != Success {
		return errno
	}
	return c.putU32(c.u32(1), textBytes(a)+textBytes(b))
}

func textBytes(list []string) (n uint32) {
	for _, text := range list {
		n += uint32(len(text)) + 1
	}
	return n
}

// texts writes the texts to one buffer and where each begins to another.
func (c *call) texts(a, b []string) Errno {
	at := c.u32(1)
	pointers, ok := c.bytes(c.u32(0), 4*uint32(len(a)+len(b)))
	if !ok {
		return EFAULT
	}
	buf, ok := c.bytes(at, textBytes(a)+textBytes(b))
	if !ok {
		return EFAULT
	}
	for _, list := range [][]string{a, b} {
		for _, text := range list {
			binary.LittleEndian.PutUint32(pointers, at)
			n := copy(buf, text)
			buf[n] = 0
			pointers, buf, at = pointers[4:], buf[n+1:], at+uint32(n)+1
		}
	}
	return Success
}
