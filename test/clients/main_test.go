package clients

import (
	"fmt"
	"os"
	"testing"

	"github.com/cofre-kms/cofre/test/rig"
)

// binary is the path of cofre; TestMain sets it.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cofre-clients-")
	if err == nil {
		binary, err = rig.Build(dir, false)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
