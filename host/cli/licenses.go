package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLicenses(notices string) *cobra.Command {
	return &cobra.Command{
		Use:   "licenses",
		Short: "Print the licences of what is inside this binary",
		Args:  atMost(0),
		Run:   func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), notices) },
	}
}
