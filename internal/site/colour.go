package site

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// What a brand colour is seen with: the text on it, and the page under it (tokens of the style sheet).
const (
	onLight, onDark     = "#FFFFFF", "#1B0A12"
	pageLight, pageDark = "#F7F7FA", "#1C1B27"
)

// leastContrast is what text needs (WCAG 2.2, 1.4.3).
const leastContrast = 4.5

var hexColour = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// checkColour refuses a colour that cannot be read: as a button under its text, or as a link on the page.
func checkColour(key, value string) error {
	if !hexColour.MatchString(value) {
		return domain.Errorf(domain.Invalid, "%q is not a colour.", value).Fix("Write # and six of 0-9 and A-F, like #A21C5B.").At(key)
	}
	text, page, further := onLight, pageLight, "darker"
	if key == KeyDark {
		text, page, further = onDark, pageDark, "lighter"
	}
	if r := Contrast(value, text); r < leastContrast {
		return domain.Errorf(domain.Invalid, "The text on it (%s) has a contrast of %s : 1; people need 4.5 : 1.", text, ratio(r)).
			Fix("Take a %s colour.", further).At(key)
	}
	if r := Contrast(value, page); r < leastContrast {
		return domain.Errorf(domain.Invalid, "As a link on the page (%s) it has a contrast of %s : 1; people need 4.5 : 1.", page, ratio(r)).
			Fix("Take a %s colour.", further).At(key)
	}
	return nil
}

// ratio is never shown as good enough when it is not.
func ratio(r float64) string { return fmt.Sprintf("%.2f", math.Floor(r*100)/100) }

// Contrast is the contrast ratio of two colours (WCAG 2.2), from 1 to 21.
func Contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(hex string) float64 {
	var l float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8) // checked before
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		l += weight * c
	}
	return l
}

// Style is the style sheet of the colours for what a selector chooses; it is loaded after the pages' own. The defaults need none.
func Style(selector, light, dark string) string {
	if hexColour.MatchString(light) && hexColour.MatchString(dark) {
		return fmt.Sprintf("%s{--brand:light-dark(%[2]s,%[3]s);--brand-2:light-dark(color-mix(in srgb,%[2]s 82%%,#000),color-mix(in "+
			"srgb,%[3]s 78%%,#fff))}\n", selector, strings.ToUpper(light), strings.ToUpper(dark))
	}
	return ""
}
