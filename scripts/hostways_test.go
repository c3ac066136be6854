package scripts_test

import (
	"fmt"
	"strings"
)

// A way is one of breaking the links between hosts.
type way struct {
	name      string
	partition func(*hosts) error // larry on one side, gary and harry on the other
	oneWay    func(*hosts) error // from larry to gary
	mute      func(*hosts) error // larry, to both others
	loss      func(*hosts) error // of 30 %, on all links
	powerOff  func(*hosts) error // gary
	heal      func(*hosts) error
}

// outside breaks links as a network does: with packet filters on the hosts.
func outside() way {
	each := func(c *hosts, rules map[string]string) error {
		for _, name := range castOfHosts {
			if err := c.filter(name, rules[name]); err != nil {
				return err
			}
		}
		return nil
	}
	drop := func(c *hosts, from ...string) string {
		for i, name := range from {
			from[i] = c.ip(name)
		}
		return "ip saddr { " + strings.Join(from, ", ") + " } drop"
	}
	return way{
		name: "packet filters",
		partition: func(c *hosts) error {
			return each(c, map[string]string{
				"larry": drop(c, "gary", "harry"), "gary": drop(c, "larry"), "harry": drop(c, "larry"),
			})
		},
		oneWay: func(c *hosts) error { return each(c, map[string]string{"gary": drop(c, "larry")}) },
		mute: func(c *hosts) error {
			return each(c, map[string]string{"gary": drop(c, "larry"), "harry": drop(c, "larry")})
		},
		loss: func(c *hosts) error {
			const some = "iif eth0 numgen random mod 100 < 30 drop"
			return each(c, map[string]string{"larry": some, "gary": some, "harry": some})
		},
		powerOff: func(c *hosts) error { return c.powerOff("gary") },
		heal:     func(c *hosts) error { return each(c, nil) },
	}
}

// inside breaks links at larry's prompt.
func inside() way {
	order := func(lines ...string) func(*hosts) error {
		return func(c *hosts) error {
			for _, line := range lines {
				if err := c.all["larry"].ask(line, nil); err != nil {
					return fmt.Errorf("%s: %w", line, err)
				}
			}
			return nil
		}
	}
	return way{
		name:      "at the prompt",
		partition: order("partition larry | gary harry"),
		oneWay:    order("link larry>gary cut"),
		mute:      order("link larry>gary cut", "link larry>harry cut"),
		loss:      order("link larry<>gary drop 30%", "link gary<>harry drop 30%", "link harry<>larry drop 30%"),
		powerOff: func(c *hosts) error {
			if err := order("isolate gary")(c); err != nil {
				return err
			}
			return c.kill("gary")
		},
		heal: order("heal"),
	}
}
