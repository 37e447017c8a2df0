package measure

import "testing"

func TestOnlyAllowedNumbersAreTaken(t *testing.T) {
	option := integer{value: 2, low: 2, high: 8, step: 2}
	for _, text := range []string{"3", "0", "10", "-2", "many", "", "4.0"} {
		if err := option.Set(text); err == nil || err.Error() != "allowed: a multiple of 2, 2 to 8" {
			t.Errorf("%q gives %v", text, err)
		}
	}
	if option.value != 2 {
		t.Errorf("a refused text left %d", option.value)
	}
	if err := option.Set("6"); err != nil || option.value != 6 {
		t.Errorf("6 gives %d, %v", option.value, err)
	}
}
