package sqlite

import "testing"

func TestNetworkFileSystemsHaveNames(t *testing.T) {
	if got := networkName(0x6969); got != "nfs" {
		t.Errorf("got %q, want nfs", got)
	}
	if got := networkName(0xef53); got != "" {
		t.Errorf("ext4: got %q, want none", got)
	}
}
