package domain

// Engine is the implementation of a federation's SuperLink.
type Engine string

// Engines.
const (
	EngineDefault Engine = ""        // the one that the server's --engine names
	EngineBuiltin Engine = "builtin" // part of this program
	EngineFlower  Engine = "flower"  // Flower's own process
)

// defaultEngine is how [EngineDefault] is written in forms and in the API.
const defaultEngine = "default"

// ParseEngine reads an engine: "builtin", "flower" or "default". Anything else is an [Invalid] error at field "engine".
func ParseEngine(s string) (Engine, error) {
	switch e := Engine(s); {
	case s == defaultEngine:
		return EngineDefault, nil
	case e == EngineBuiltin || e == EngineFlower:
		return e, nil
	}
	return "", Errorf(Invalid, "There is no SuperLink %q.", s).Fix("Choose builtin, flower or default.").At("engine")
}

// String returns what [ParseEngine] reads.
func (e Engine) String() string {
	if e == EngineDefault {
		return defaultEngine
	}
	return string(e)
}

// Words names the engine for people, beside the word SuperLink.
func (e Engine) Words() string {
	if e == EngineFlower {
		return "Flower's own"
	}
	return string(e)
}
