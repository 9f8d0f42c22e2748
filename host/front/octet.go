package front

func digit(c byte) bool { return '0' <= c && c <= '9' }
