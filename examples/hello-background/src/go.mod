module hello-background

go 1.26

require github.com/cloche-run/cloche/sdk/go v0.0.0

replace github.com/cloche-run/cloche/sdk/go => ../../../sdk/go
