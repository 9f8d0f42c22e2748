package sqlite

import (
	"errors"
	"hash/crc32"

	"github.com/cloche-run/cloche/host/ledger"
)

// request is what a job was enqueued with, as it is stored. SQLite does not
// notice when a disk gives back other bytes than it was given; the sum does.
type request struct {
	head, body []byte
	sum        int64
}

const requestColumns = "sum, head, body"

var errDamaged = errors.New("the request of the job is damaged: it cannot run")

func sum(head, body []byte) int64 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return int64(crc32.Update(crc32.Checksum(head, table), table, body))
}

func (r *request) scan(row scanner) error {
	err := row.Scan(&r.sum, &r.head, &r.body)
	r.body = bytesOf(r.body)
	return err
}

func (r *request) decode() (ledger.Request, error) {
	if sum(r.head, r.body) != r.sum {
		return ledger.Request{}, errDamaged
	}
	request, err := ledger.DecodeHead(r.head)
	if len(r.body) > 0 {
		request.Body = r.body
	}
	return request, err
}

// request returns that of a job.
func (b *batch) request(id ledger.ID) (r request, err error) {
	err = b.each(r.scan, "SELECT "+requestColumns+" FROM requests WHERE job = ?", id[:])
	return r, err
}
