package runtime_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/cloche-run/cloche/abi"
	"github.com/cloche-run/cloche/runtime"
)

// A function is loaded once and invoked many times, each time in an instance of
// its own.
func Example() {
	ctx := context.Background()
	engine, err := runtime.New(ctx, runtime.Config{MemoryBudget: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)

	module, err := os.ReadFile("../examples/polyglot/netlify/functions/hello-c.wasm")
	if err != nil {
		log.Fatal(err)
	}
	hello, err := engine.Load(ctx, module, runtime.FunctionConfig{
		Name:   "hello",
		Limits: runtime.Limits{MemoryPages: 16, Timeout: time.Second},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer hello.Close(ctx)

	body := &abi.Buffer{Limit: abi.ResponseBodyBytes}
	resp := &abi.Response{Body: body}
	usage, err := hello.Invoke(ctx, &abi.Request{Method: "GET", Path: "/hello"}, resp)
	if err != nil {
		log.Fatal(err) // a *runtime.Trap, if the guest is to blame
	}
	fmt.Println(hello.Kind(), resp.Status, resp.Header.Get("content-type"))
	fmt.Println(string(body.Bytes))
	fmt.Println(usage.MemoryBytes, "bytes of memory")
	// Output:
	// handler 200 application/json
	// {"message":"Serverless Functions are cool! 😎 Hello from C."}
	// 65536 bytes of memory
}
