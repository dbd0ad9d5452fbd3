"""What is typed at a terminal: transactions, watches, passwords."""


def scenario_transaction(s):
    s.ctl("put foo bar")
    s.terminal(["txn", "-i"], [("compares:", 'mod("foo") > "0"\n\n'),
                               ("success requests", "get foo\nput r x\n\n"),
                               ("failure requests", "\n")], "txn -i at a terminal")
    s.terminal(["txn", "--interactive"], [("compares:", "bad\n")], "txn -i with a mistake")


def scenario_watch(s):
    s.ctl("put w1 a")
    s.terminal(["watch", "-i"], [("", "watch w1 --rev=1\n"), ("PUT\r\nw1\r\na\r\n", "progress\n"),
                                 ("progress notify: 2\r\n", "bogus\n"),
                                 ("only support watch", "\x04")], "watch -i at a terminal")


def scenario_password(s):
    s.terminal(["--user=root", "get", "k"], [("Password: ", "secret\n")], "a password is asked for")
