// Package site is how this server speaks of itself: its name, logo, colours, and the words of its front door, help and mails.
// Each is one field with a default, checked where it is entered; the configuration file goes before what admins set in the pages.
package site

// Kind says what a field holds, and with that how it is checked and shown.
type Kind string

// Kinds of fields.
const (
	Line    Kind = "line"    // one line
	Text    Kind = "text"    // plain paragraphs
	Colour  Kind = "colour"  // #RRGGBB
	Logo    Kind = "logo"    // an SVG or PNG picture as a data: URL
	Subject Kind = "subject" // of a mail, a template
	Body    Kind = "body"    // of a mail, a template
)

// Field is one thing that can be set.
type Field struct {
	Key     string // in the database, the API, the form, and below [site] in the configuration file
	Group   string // the fields of a group stand together
	Label   string
	Help    string
	Kind    Kind
	Default string
	Most    int    // bytes
	Mail    string // of Subject and Body: the kind of mail
}

// Keys that code refers to.
const (
	KeyName    = "name"
	KeyLogo    = "logo"
	KeyLight   = "colour.light"
	KeyDark    = "colour.dark"
	KeyWelcome = "welcome"
	KeyHelp    = "help"
	KeyContact = "contact"
)

// DefaultName is the name of a server that was given none.
const DefaultName = "BlossomTune"

const defaultWelcome = `{site} brings machines of several organisations into one federation. Each trains on its own ` +
	`data and sends back only what was learned: weights and a few numbers. It runs on Flower.`

var fields = append([]Field{
	{Key: KeyName, Group: "look", Label: "Name", Help: "On every page and in mails.", Kind: Line, Default: DefaultName, Most: 60},
	{Key: KeyLogo, Group: "look", Label: "Logo", Help: "SVG or PNG, up to 128 kB. It stands beside the name, 28 pixels high.", Kind: Logo,
		Most: maxLogo * 2},
	{Key: KeyLight, Group: "look", Label: "Colour on light pages", Help: "Of buttons and links, like #A21C5B. White is written on it.",
		Kind: Colour, Default: "#A21C5B", Most: 7},
	{Key: KeyDark, Group: "look", Label: "Colour on dark pages", Help: "Of buttons and links, like #FF8DBE. Almost black is written on it.",
		Kind: Colour, Default: "#FF8DBE", Most: 7},
	{Key: KeyWelcome, Group: "words", Label: "Welcome", Help: "At the front door, above the federations; each federation has a description " +
		"of its own. {site} stands for the name.", Kind: Text, Default: defaultWelcome, Most: 4000},
	{Key: KeyHelp, Group: "words", Label: "Help", Help: "On the page Help, which every page links once there is something on it. Addresses " +
		"of pages and mailboxes become links.", Kind: Text, Most: 8000},
	{Key: KeyContact, Group: "words", Label: "Contact", Help: "Whom to write to: an e-mail address or a web address.", Kind: Line, Most: 200},
}, mailFields()...)

// Fields are all fields, in the order in which they are shown.
func Fields() []Field { return fields }

// field returns the field of a key.
func field(key string) (Field, bool) {
	for _, f := range fields {
		if f.Key == key {
			return f, true
		}
	}
	return Field{}, false
}
