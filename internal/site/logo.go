package site

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"

	"blossomtune/internal/domain"
)

const (
	maxLogo = 128 << 10
	maxSide = 2048 // pixels of a PNG
)

// Picture is a logo as it is served.
type Picture struct {
	Type  string // image/svg+xml or image/png
	Bytes []byte
}

// ReadLogo checks an uploaded picture and returns the value of the logo field.
func ReadLogo(data []byte) (string, error) {
	if len(data) > maxLogo {
		return "", domain.Errorf(domain.Invalid, "The picture has more than 128 kB.").Fix("Make it smaller; it is shown 28 pixels high.").
			At(KeyLogo)
	}
	kind := "image/png"
	var err error
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		err = checkPNG(data)
	} else {
		kind, err = "image/svg+xml", checkSVG(data)
	}
	if err != nil {
		return "", err
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), nil
}

// ParseLogo returns the picture of a logo field's value, and whether there is one. It checks it as an upload is checked.
func ParseLogo(value string) (Picture, bool, error) {
	if value == "" {
		return Picture{}, false, nil
	}
	head, body, _ := strings.Cut(value, ",")
	data, err := base64.StdEncoding.DecodeString(body)
	if err != nil || head != "data:image/svg+xml;base64" && head != "data:image/png;base64" {
		return Picture{}, false, noPicture(err)
	}
	made, err := ReadLogo(data)
	if err == nil && made != value {
		err = noPicture(nil)
	}
	return Picture{Type: strings.TrimSuffix(strings.TrimPrefix(head, "data:"), ";base64"), Bytes: data}, err == nil, err
}

func noPicture(err error) *domain.Error {
	return domain.Errorf(domain.Invalid, "This is neither an SVG nor a PNG picture.").Fix("Save the logo as SVG or PNG.").At(KeyLogo).
		Because(err)
}

// checkPNG decodes the picture, its size first: a small file can claim to be huge.
func checkPNG(data []byte) error {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return noPicture(err)
	}
	if c.Width > maxSide || c.Height > maxSide {
		return domain.Errorf(domain.Invalid, "The picture has %d × %d pixels.", c.Width, c.Height).
			Fix("Make it no larger than %d × %d.", maxSide, maxSide).At(KeyLogo)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		return noPicture(err)
	}
	return nil
}

// checkSVG takes a drawing and nothing that acts: it is also served so that it cannot (see the page's route), so this is for
// whoever saves the file and opens it elsewhere.
func checkSVG(data []byte) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	depth, first := 0, true
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if err != nil {
			return noPicture(err)
		}
		switch t := t.(type) {
		case xml.Directive:
			return refusedSVG("a document type")
		case xml.ProcInst:
			if t.Target != "xml" {
				return refusedSVG("<?" + t.Target)
			}
		case xml.StartElement:
			if first && (t.Name.Local != "svg" || t.Name.Space != "http://www.w3.org/2000/svg") {
				return noPicture(nil)
			}
			first = false
			if depth++; depth > 100 {
				return refusedSVG("more than 100 elements within each other")
			}
			if err := checkElement(t); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		}
	}
}

func checkElement(t xml.StartElement) error {
	switch name := strings.ToLower(t.Name.Local); name {
	case "script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "set", "animate":
		return refusedSVG("<" + name + ">")
	}
	for _, a := range t.Attr {
		name, value := strings.ToLower(a.Name.Local), strings.TrimSpace(a.Value)
		switch {
		case strings.HasPrefix(name, "on"):
			return refusedSVG(name + "=")
		case name == "href" && !strings.HasPrefix(value, "#") && !strings.HasPrefix(value, "data:image/png;"):
			return refusedSVG("a reference to " + domain.Cut(value, 40))
		}
	}
	return nil
}

func refusedSVG(what string) error {
	return domain.Errorf(domain.Invalid, "The drawing holds %s, which a logo does not need.", what).
		Fix("Save it as a plain SVG without scripts and references, or as PNG.").At(KeyLogo)
}
