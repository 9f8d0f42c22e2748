// Command echo is a command: it answers with the event that it got.
package main

import "github.com/cloche-run/cloche/sdk/go/command"

func main() { command.Run(echo) }

func echo(e command.Event) (command.Result, error) { return command.JSON(200, e) }
