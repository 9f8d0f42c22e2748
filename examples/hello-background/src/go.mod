module hello-background

go 1.26
