package catalog

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"blossomtune/internal/domain"
)

// contentList is the member of a FAB in which Flower lists the others with their hashes.
const contentList = ".info/CONTENT"

func openZip(body []byte) (*zip.Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil || !hasZipMagic(body) {
		return nil, invalid("This is neither a FAB nor a zip of an app's folder.").
			Fix("Upload what `flwr build` writes, or a zip of the folder with pyproject.toml.").Because(err)
	}
	if err := plainNames(z); err != nil {
		return nil, err
	}
	return z, checkMembers(z)
}

// plainNames gives the members of a zip of sources the names that are meant: older programs of Windows write "\" for "/", others put
// "./" before each. A FAB keeps its names: Flower takes them as they are.
func plainNames(z *zip.Reader) error {
	if member(z, contentList) != nil {
		return nil
	}
	for _, f := range z.File {
		plain := strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "./")
		if plain == contentList {
			return invalid("The file names in this FAB are separated by \\, which Flower cannot read.").
				Fix("Build it again with `flwr build`, or upload a zip of the app's folder.")
		}
		f.Name = plain
	}
	return nil
}

// checkMembers refuses what would unpack to something else than it seems: ways out, links, names that are there twice
// (one program shows the first, another runs the last), and more than an app has.
func checkMembers(z *zip.Reader) error {
	if len(z.File) > maxFiles {
		return invalid("It has more than %d files.", maxFiles).Fix("Keep data out of an app's folder.")
	}
	seen, bytes := map[string]bool{}, uint64(0)
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		switch {
		case !safeName(f.Name):
			return invalid("It has the unsafe file name %q.", f.Name).Fix("Zip the app's folder itself, with file names of plain letters.")
		case !f.Mode().IsRegular():
			return invalid("%s is a link or a device, not a file.", f.Name).Fix("Put the file itself there.")
		case seen[f.Name]:
			return invalid("It has %s twice.", f.Name).Fix("Zip the folder again.")
		}
		seen[f.Name] = true
		if bytes += f.UncompressedSize64; f.UncompressedSize64 > maxUnzipped || bytes > maxUnzipped {
			return invalid("It unpacks to more than %d MB.", maxUnzipped>>20).Fix("Keep data out of an app's folder.")
		}
	}
	return nil
}

// safeName reports whether a member's name means the same file to every program that unpacks it.
func safeName(name string) bool {
	return utf8.ValidString(name) && filepath.IsLocal(name) && path.Clean(name) == name && len(name) <= 500 &&
		!strings.ContainsAny(name, "\\\x00\r\n:")
}

// isFAB tells a FAB from a zip of sources: only a FAB has Flower's list of contents.
func isFAB(body []byte) bool {
	z, err := openZip(body)
	if err != nil {
		return false
	}
	return member(z, contentList) != nil
}

func member(z *zip.Reader, name string) *zip.File {
	for _, f := range z.File {
		if f.Name == name && !f.FileInfo().IsDir() {
			return f
		}
	}
	return nil
}

// readMember reads at most so many bytes of a member and reports whether that is all.
func readMember(f *zip.File, most int64) (body []byte, all bool, err error) {
	r, err := f.Open()
	if err != nil {
		return nil, false, invalid("%s cannot be unpacked.", f.Name).Because(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, false, invalid("%s cannot be unpacked.", f.Name).Because(err)
	}
	if int64(len(b)) > most {
		return b[:most], false, nil
	}
	return b, true, nil
}

// readFAB checks a FAB as Flower will, and reads the app's name, version and config schema from it.
func readFAB(fab []byte) (domain.AppVersion, error) {
	z, err := openZip(fab)
	if err != nil {
		return domain.AppVersion{}, err
	}
	f := member(z, "pyproject.toml")
	if f == nil {
		return domain.AppVersion{}, invalid("There is no pyproject.toml in it.").Fix("An app's folder has a pyproject.toml at its top.")
	}
	text, all, err := readMember(f, maxPyproject)
	if err != nil {
		return domain.AppVersion{}, err
	}
	if !all {
		return domain.AppVersion{}, invalid("pyproject.toml is larger than %d kB.", maxPyproject>>10)
	}
	a, err := readPyproject(text, func(name string) bool { return has(z, name) })
	if err != nil {
		return a, err
	}
	return a, checkHashes(z)
}

// has reports whether a zip has a file, or with a slash at the end any file below it.
func has(z *zip.Reader, name string) bool {
	for _, f := range z.File {
		if f.Name == name || strings.HasSuffix(name, "/") && strings.HasPrefix(f.Name, name) {
			return true
		}
	}
	return false
}

// maxContent bounds FAB's list of contents: a line for each of its files.
const maxContent = 2 << 20

// checkHashes compares the files with the FAB's list, as Flower does at every participant. Each file is listed, and hashed, once.
func checkHashes(z *zip.Reader) error {
	f := member(z, contentList)
	if f == nil {
		return invalid("It has no list of its contents.").Fix("Upload what `flwr build` writes.")
	}
	list, all, err := readMember(f, maxContent)
	if err != nil {
		return err
	}
	if !all {
		return invalid("Its list of contents is larger than %d MB.", maxContent>>20).Fix("Build the FAB again with `flwr build`.")
	}
	return checkContent(z, string(list))
}

// checkContent compares the files of a FAB with the text of its list.
func checkContent(z *zip.Reader, list string) error {
	files := make(map[string]*zip.File, len(z.File))
	for _, f := range z.File {
		files[f.Name] = f
	}
	listed := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(list), "\n") {
		parts := strings.Split(line, ",")
		if len(parts) != 3 {
			return invalid("Its list of contents cannot be read.").Fix("Build the FAB again with `flwr build`.")
		}
		of := files[parts[0]]
		switch {
		case of == nil || of.FileInfo().IsDir():
			return invalid("It lists %q, which is not in it.", domain.Cut(parts[0], 200)).Fix("Build the FAB again with `flwr build`.")
		case listed[parts[0]]:
			return invalid("It lists %s twice.", parts[0]).Fix("Build the FAB again with `flwr build`.")
		}
		listed[parts[0]] = true
		if err := checkHash(of, parts[1]); err != nil {
			return err
		}
	}
	return nil
}

func checkHash(f *zip.File, want string) error {
	in, err := f.Open()
	if err != nil {
		return invalid("%s cannot be unpacked.", f.Name).Because(err)
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(in, int64(f.UncompressedSize64))); err != nil {
		return invalid("%s cannot be unpacked.", f.Name).Because(err)
	}
	if hex.EncodeToString(h.Sum(nil)) != want {
		return invalid("%s differs from the FAB's list of contents; Flower would refuse it.", f.Name).
			Fix("Build the FAB again with `flwr build`.")
	}
	return nil
}
