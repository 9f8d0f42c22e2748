package wasi

// function is one function of preview 1. Its parameters are on the call's
// stack; it returns the errno that the guest gets.
type function struct {
	name   string
	params string // one letter each: i for i32, l for i64
	run    func(*call) Errno
}

// functions are all of preview 1. Every one exists, or modules that merely link
// against it would not load.
func functions() []function {
	return []function{
		{"args_get", "ii", argsGet},
		{"args_sizes_get", "ii", argsSizesGet},
		{"clock_res_get", "ii", clockResGet},
		{"clock_time_get", "ili", clockTimeGet},
		{"environ_get", "ii", environGet},
		{"environ_sizes_get", "ii", environSizesGet},
		{"fd_advise", "illi", fdAdvise},
		{"fd_allocate", "ill", fdAllocate},
		{"fd_close", "i", fdClose},
		{"fd_datasync", "i", fdDatasync},
		{"fd_fdstat_get", "ii", fdFdstatGet},
		{"fd_fdstat_set_flags", "ii", fdFdstatSetFlags},
		{"fd_fdstat_set_rights", "ill", fdFdstatSetRights},
		{"fd_filestat_get", "ii", fdFilestatGet},
		{"fd_filestat_set_size", "il", fdFilestatSetSize},
		{"fd_filestat_set_times", "illi", fdFilestatSetTimes},
		{"fd_pread", "iiili", fdPread},
		{"fd_prestat_dir_name", "iii", fdPrestatDirName},
		{"fd_prestat_get", "ii", fdPrestatGet},
		{"fd_pwrite", "iiili", fdPwrite},
		{"fd_read", "iiii", fdRead},
		{"fd_readdir", "iiili", fdReaddir},
		{"fd_renumber", "ii", fdRenumber},
		{"fd_seek", "ilii", fdSeek},
		{"fd_sync", "i", fdSync},
		{"fd_tell", "ii", fdTell},
		{"fd_write", "iiii", fdWrite},
		{"path_create_directory", "iii", pathCreateDirectory},
		{"path_filestat_get", "iiiii", pathFilestatGet},
		{"path_filestat_set_times", "iiiilli", pathFilestatSetTimes},
		{"path_link", "iiiiiii", pathLink},
		{"path_open", "iiiiillii", pathOpen},
		{"path_readlink", "iiiiii", pathReadlink},
		{"path_remove_directory", "iii", pathRemoveDirectory},
		{"path_rename", "iiiiii", pathRename},
		{"path_symlink", "iiiii", pathSymlink},
		{"path_unlink_file", "iii", pathUnlinkFile},
		{"poll_oneoff", "iiii", pollOneoff},
		{"proc_exit", "i", procExit},
		{"proc_raise", "i", procRaise},
		{"random_get", "ii", randomGet},
		{"sched_yield", "", schedYield},
		{"sock_accept", "iii", noSocket},
		{"sock_recv", "iiiiii", noSocket},
		{"sock_send", "iiiii", noSocket},
		{"sock_shutdown", "ii", noSocket},
	}
}
