package command_test

import (
	"fmt"

	"github.com/cloche-run/cloche/sdk/go/command"
)

// greet is what a program would pass to command.Run in its main.
func greet(e command.Event) (command.Result, error) {
	return command.JSON(200, map[string]string{"hello": e.QueryStringParameters["name"]})
}

func Example() {
	got, err := greet(command.Event{QueryStringParameters: map[string]string{"name": "Ada"}})
	fmt.Println(got.StatusCode, got.Body, err)
	// Output: 200 {"hello":"Ada"} <nil>
}
