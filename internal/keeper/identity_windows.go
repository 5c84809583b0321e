package keeper

import (
	"strconv"

	"golang.org/x/sys/windows"
)

func startOf(pid int) (string, bool) {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return "", false
	}
	defer func() { _ = windows.CloseHandle(h) }()
	var created, exited, kernel, user windows.Filetime
	if windows.GetProcessTimes(h, &created, &exited, &kernel, &user) != nil || exited.Nanoseconds() > 0 && exited.LowDateTime != 0 {
		return "", false
	}
	return strconv.FormatInt(created.Nanoseconds(), 10), true
}
