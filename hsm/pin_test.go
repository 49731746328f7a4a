package hsm_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cofre-kms/cofre/hsm"
)

func TestPINDoesNotPrint(t *testing.T) {
	config := struct{ PIN hsm.PIN }{"81926"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(format, config); strings.Contains(s, "81926") {
			t.Errorf("%s prints %s", format, s)
		}
	}
	if out, err := json.Marshal(config); err == nil {
		t.Errorf("JSON has %s", out)
	}
}
