module victims

go 1.21
