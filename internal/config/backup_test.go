package config

import (
	"strings"
	"testing"
)

func TestHowManyBackupsAreKept(t *testing.T) {
	for _, c := range []struct {
		set  Backup
		want string // in the error; "": there is none
	}{
		{Backup{}, ""},
		{Backup{Clear: true, KeepDaily: 3}, ""}, // no weekly ones
		{Backup{Clear: true, KeepDaily: 1, KeepWeekly: 2}, ""},
		{Backup{Clear: true, KeepWeekly: 4}, "backup-keep-daily"},
		{Backup{Daily: "03:00", Clear: true, KeepWeekly: 4}, "backup-keep-daily"},
		{Backup{KeepDaily: -1}, "backup-keep-daily"},
		{Backup{KeepDaily: 1, KeepWeekly: -1}, "backup-keep-weekly"},
	} {
		conf := Config{Data: t.TempDir(), Listen: ":1", Backup: c.set}
		err := conf.Resolve()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.set, err)
		}
		if conf.Backup.KeepDaily != c.set.KeepDaily || conf.Backup.KeepWeekly != c.set.KeepWeekly {
			t.Errorf("%+v became %+v", c.set, conf.Backup)
		}
	}
}
