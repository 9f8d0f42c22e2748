module github.com/cloche-run/cloche/sdk/go

go 1.26
