package wasi

// rights are what a descriptor may be used for.
// https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md#rights
type rights uint64

const (
	rightDatasync rights = 1 << iota
	rightRead
	rightSeek
	rightSetFlags
	rightSync
	rightTell
	rightWrite
	rightAdvise
	rightAllocate
	rightCreateDirectory
	rightCreateFile
	rightLinkSource
	rightLinkTarget
	rightOpen
	rightReaddir
	rightReadlink
	rightRenameSource
	rightRenameTarget
	rightPathStat
	rightPathSetSize
	rightPathSetTimes
	rightStat
	rightSetSize
	rightSetTimes
	rightSymlink
	rightRemoveDirectory
	rightUnlinkFile
	rightPoll
	rightShutdown
	rightAccept

	allRights = rightAccept<<1 - 1

	fileRights = rightDatasync | rightRead | rightSeek | rightSetFlags | rightSync | rightTell | rightWrite |
		rightAdvise | rightAllocate | rightStat | rightSetSize | rightSetTimes | rightPoll

	directoryRights = rightSetFlags | rightSync | rightDatasync | rightCreateDirectory | rightCreateFile |
		rightLinkSource | rightLinkTarget | rightOpen | rightReaddir | rightReadlink | rightRenameSource |
		rightRenameTarget | rightPathStat | rightPathSetSize | rightPathSetTimes | rightStat | rightSetTimes |
		rightSymlink | rightRemoveDirectory | rightUnlinkFile
)

// streamRights: no seek and no tell, which is how C's isatty and stdio know that
// a stream is none of a file's kind.
func streamRights(fd int) rights {
	const both = rightSetFlags | rightStat | rightPoll
	if fd == 0 {
		return both | rightRead
	}
	return both | rightWrite | rightSync | rightDatasync
}
