package measure

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// integer is the value of an option with whole numbers of low to high that are multiples of step.
type integer struct{ value, low, high, step int }

func (option *integer) String() string { return strconv.Itoa(option.value) }

func (option *integer) Set(text string) error {
	value, err := strconv.Atoi(text)
	if err != nil || value < option.low || value > option.high || value%option.step != 0 {
		return errors.New("allowed: " + option.allowed())
	}
	option.value = value
	return nil
}

func (option *integer) allowed() string {
	switch {
	case option.low == option.high:
		return strconv.Itoa(option.low)
	case option.step > 1:
		return fmt.Sprintf("a multiple of %d, %d to %d", option.step, option.low, option.high)
	default:
		return fmt.Sprintf("%d to %d", option.low, option.high)
	}
}

// Integer declares an option with a value of low to high.
func Integer(name string, fallback, low, high int, help string) *int {
	return declare(name, integer{value: fallback, low: low, high: high, step: 1}, help)
}

// Threads declares --threads: groups of threads that work together, of which there is one by default, and most at the most.
func Threads(group, most int) *int {
	option := integer{value: group, low: group, high: most, step: group}
	return declare("threads", option, "goroutines that do the work")
}

// unsigned is the value of an option with any number of 64 bits.
type unsigned uint64

func (option *unsigned) String() string { return strconv.FormatUint(uint64(*option), 10) }

func (option *unsigned) Set(text string) error {
	value, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return errors.New("allowed: 0 to 18446744073709551615")
	}
	*option = unsigned(value)
	return nil
}

// Seed declares --seed.
func Seed() *uint64 {
	seed := uint64(20261123)
	flag.Var((*unsigned)(&seed), "seed", "what random numbers begin with")
	return &seed
}

func declare(name string, option integer, help string) *int {
	flag.Var(&option, name, help+"; "+option.allowed())
	return &option.value
}

// Choice declares an option with one of some values.
func Choice(name, fallback string, allowed []string, help string) *string {
	value := fallback
	flag.Func(name, help+" ("+fallback+"); "+strings.Join(allowed, ", "), func(text string) error {
		if !slices.Contains(allowed, text) {
			return errors.New("allowed: " + strings.Join(allowed, ", "))
		}
		value = text
		return nil
	})
	return &value
}

// Choices declares an option with some of some values, each once, with commas.
func Choices(name, fallback string, allowed []string, help string) *[]string {
	values := strings.Split(fallback, ",")
	flag.Func(name, help+" ("+fallback+"); some of "+strings.Join(allowed, ", "), func(text string) error {
		chosen := strings.Split(text, ",")
		for place, each := range chosen {
			if !slices.Contains(allowed, each) || slices.Contains(chosen[:place], each) {
				return errors.New("allowed: some of " + strings.Join(allowed, ", ") + ", each once, with commas")
			}
		}
		values = chosen
		return nil
	})
	return &values
}

// ParseOptions reads the command line into what was declared. Anything else there ends the process with a usage error (64).
func ParseOptions() {
	flag.CommandLine.Init(os.Args[0], flag.ContinueOnError)
	err := flag.CommandLine.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(0)
	case err != nil:
		os.Exit(64) // Parse has written what is wrong, and all options.
	case flag.NArg() > 0:
		fail(64, "unexpected argument %q; allowed: options only", flag.Arg(0))
	}
}

// Refuse ends the process with a usage error (64).
func Refuse(option, value, allowed string) {
	fail(64, "--%s is %q; allowed: %s", option, value, allowed)
}
