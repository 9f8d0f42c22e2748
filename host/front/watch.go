package front

import (
	"context"
	"time"
)

// watchTick is how often connections are asked whether their client is there.
const watchTick = time.Second

// watch ends the context of requests whose client has gone. fasthttp does not
// read while a handler runs, so nobody would notice; asking once a second costs
// nothing to requests shorter than that. As with net/http, a client that closed
// its sending side counts as gone.
func (l *listener) watch(ctx context.Context) {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.each(func(c *conn) {
				if c.invoking.Load() && gone(c.Conn) {
					c.cancel()
				}
			})
		}
	}
}
