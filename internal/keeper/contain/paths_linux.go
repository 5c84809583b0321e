package contain

import "path/filepath"

// systemFiles are what every program can read: programs and libraries, and of /etc what says how the system is set up. Passwords, keys and
// the settings of services are not among them.
var systemFiles = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt/rocm", "/nix/store", "/gnu/store",
	"/etc/alternatives", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/crypto-policies", "/etc/debian_version", "/etc/fonts",
	"/etc/gai.conf", "/etc/group", "/etc/host.conf", "/etc/hosts", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
	"/etc/ld-musl-x86_64.path",
	"/etc/locale.alias", "/etc/locale.conf", "/etc/localtime", "/etc/lsb-release", "/etc/machine-id", "/etc/magic", "/etc/matplotlibrc",
	"/etc/mime.types",
	"/etc/nsswitch.conf", "/etc/OpenCL", "/etc/os-release", "/etc/passwd", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
	"/etc/pki/tls/openssl.cnf", "/etc/pki/tls/cert.pem", "/etc/protocols",
	"/etc/resolv.conf", "/etc/services", "/etc/ssl/cert.pem", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/terminfo", "/etc/timezone",
	"/etc/vulkan",
	"/sys",
}

// plainDevices can be read and written by everyone.
var plainDevices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}

// gpuDevices also take ioctl calls.
func gpuDevices() []string { return gpuDevicesIn("") }

func gpuDevicesIn(root string) []string {
	var out []string
	for _, pattern := range []string{"/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/dxg"} {
		found, _ := filepath.Glob(root + pattern) // the patterns are sound
		out = append(out, found...)
	}
	return out
}

const sharedMemory = "/dev/shm" // multiprocessing, joblib and torch need it
