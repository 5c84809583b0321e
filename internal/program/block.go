package program

import (
	"fmt"
	"strings"
)

// System is one for which there is a block of commands to paste.
type System struct {
	OS   string // as in [Program]
	Name string
}

// Systems are those that a page shows, the most common first.
var Systems = []System{{"linux", "Linux"}, {"darwin", "macOS"}, {"windows", "Windows"}}

// SystemOf returns the system that a browser names in its User-Agent. Linux is the answer for all others.
func SystemOf(userAgent string) string {
	switch {
	case strings.Contains(userAgent, "Windows"):
		return "windows"
	case strings.Contains(userAgent, "Macintosh"), strings.Contains(userAgent, "Mac OS X"):
		return "darwin"
	}
	return "linux"
}

// Block is what to paste into a shell: it downloads the program, checks its SHA-256 and runs a command of it.
type Block struct {
	Programs []Program
	Base     string // of the server, without a slash at the end
	OwnCA    bool   // the server's certificate is of its own CA, which the machine does not trust
	Token    string // for join, given in the environment, where other users cannot read it; "" for none
	Args     string // of the program, quoted for the shell
}

// Text returns the block for a system: commands for sh, or for PowerShell on Windows. "" says that there is no program for the system.
//
// With a CA of the server's own, curl does not check the certificate (-k). It does not have to: the file is checked against its hash, and
// join checks the server against the pin in its token before it sends anything.
func (b Block) Text(system string) string {
	var mine []Program
	for _, p := range b.Programs {
		if p.OS == system {
			mine = append(mine, p)
		}
	}
	switch {
	case len(mine) == 0:
		return ""
	case system == "windows":
		return b.powerShell(mine)
	}
	return b.shell(mine, system)
}

func (b Block) curl() string {
	if b.OwnCA {
		return "-fk"
	}
	return "-f"
}

// machines are the names of architectures in uname -m.
var machines = map[string]string{"amd64": "x86_64", "arm64": "aarch64|arm64"}

// shell needs only what every sh has, and curl. A step that fails ends the chain.
func (b Block) shell(programs []Program, system string) string {
	check := "sha256sum -c -"
	if system == "darwin" {
		check = "shasum -a 256 -c -"
	}
	var s strings.Builder
	s.WriteString("d=~/.blossomtune/bin f= h=\ncase $(uname -m) in\n")
	for _, p := range programs {
		fmt.Fprintf(&s, "%s) f=%s h=%s ;;\n", machines[p.Arch], p.Name, p.SHA256)
	}
	fmt.Fprintf(&s, "esac\nmkdir -p \"$d\" &&\ncurl %s --retry 3 -o \"$d/new\" \"%s/download/$f\" &&\n", b.curl(), b.Base)
	fmt.Fprintf(&s, "echo \"$h  $d/new\" | %s &&\nchmod 755 \"$d/new\" && mv \"$d/new\" \"$d/blossomtune\" &&\n", check)
	if b.Token != "" {
		fmt.Fprintf(&s, "BLOSSOMTUNE_JOIN_TOKEN=%s ", b.Token)
	}
	return s.String() + `"$d/blossomtune" ` + b.Args
}

// powerShell is one script block: PowerShell would run pasted lines one by one, whatever became of those before. curl.exe is part of
// Windows since 2018.
func (b Block) powerShell(programs []Program) string {
	var s strings.Builder
	s.WriteString("& {\n$d = \"$HOME\\.blossomtune\\bin\"\nswitch ($env:PROCESSOR_ARCHITECTURE) {\n")
	for _, p := range programs {
		fmt.Fprintf(&s, "  '%s' { $f = '%s'; $h = '%s' }\n", strings.ToUpper(p.Arch), p.Name, p.SHA256)
	}
	fmt.Fprintf(&s, "}\nNew-Item -ItemType Directory -Force $d | Out-Null\ncurl.exe %s --retry 3 -o \"$d\\new.exe\" \"%s/download/$f\"\n",
		b.curl(), b.Base)
	s.WriteString("if ($LASTEXITCODE -ne 0) { throw 'The download failed.' }\nif ((Get-FileHash \"$d\\new.exe\").Hash -ne $h) { throw 'The " +
		"SHA-256 is wrong. Nothing was installed.' }\n")
	s.WriteString("Move-Item -Force \"$d\\new.exe\" \"$d\\blossomtune.exe\"\n")
	if b.Token != "" {
		fmt.Fprintf(&s, "$env:BLOSSOMTUNE_JOIN_TOKEN = '%s'\n", b.Token)
	}
	fmt.Fprintf(&s, "& \"$d\\blossomtune.exe\" %s\n", b.Args)
	if b.Token != "" {
		s.WriteString("Remove-Item Env:BLOSSOMTUNE_JOIN_TOKEN\n")
	}
	return s.String() + "}"
}

// Texts returns the blocks for all systems that have one, each below its name.
func (b Block) Texts() string {
	var out []string
	for _, system := range Systems {
		if text := b.Text(system.OS); text != "" {
			name := system.Name
			if system.OS == "windows" {
				name += " (PowerShell)"
			}
			out = append(out, name+":\n\n"+text)
		}
	}
	return strings.Join(out, "\n\n")
}
