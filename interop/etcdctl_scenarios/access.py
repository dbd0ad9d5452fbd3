"""Users, roles and authentication, in every format."""

FORMS = ("simple", "json", "fields", "protobuf", "table")

# The original turns the terminal's echo off behind the prompt, so what is typed may be seen.
ECHO = [(r"(Password of \w+|confirmation): .*\n+", r"\1: \n")]


def scenario_users(s):
    s.ctl("user add alice:pw")
    s.ctl("user add alice:pw")
    s.ctl("user add bob --new-user-password=pw2")
    s.ctl("user add carol --interactive=false", stdin="pw3\n")
    s.ctl("user add dan --interactive=false", stdin="")
    s.ctl("user add eve --no-password")
    again = "for confirmation: "
    s.terminal(["user", "add", "dave"], [("Password of dave: ", "pw4\n"), (again, "pw4\n")],
               "user add asks for a password", ECHO)
    s.terminal(["user", "add", "fred"], [("Password of fred: ", "pw4\n"), (again, "pw5\n")],
               "user add is told two passwords", ECHO)
    s.terminal(["user", "passwd", "dave"], [("Password of dave: ", "\n")], "an empty password",
               ECHO)
    s.terminal(["user", "passwd", "dave"], [("Password of dave: ", "x\n"), (again, "x\n")],
               "user passwd asks for a password", ECHO)
    for form in FORMS:
        s.ctl(f"user add {form}:pw -w {form}")
        s.ctl(f"user passwd {form} --interactive=false -w {form}", stdin="new\n")
        s.ctl(f"user get alice -w {form}")
        s.ctl(f"user delete {form} -w {form}")
        s.ctl(f"user list -w {form}")
        s.ctl(f"auth status -w {form}")
    for line in ("user add", "user add :pw", "user add a b", "user get", "user get nobody",
                 "user delete", "user delete nobody", "user list x", "user passwd",
                 "user passwd nobody --interactive=false", "user grant-role alice",
                 "user grant-role alice nope", "user grant-role nobody r", "user revoke-role",
                 "user revoke-role alice r", "auth enable"):
        s.ctl(line, stdin="x\n")


def scenario_roles(s):
    s.ctl("user add alice:pw")
    for form in FORMS:
        s.ctl(f"role add {form} -w {form}")
        s.ctl(f"role add {form} -w {form}")
        s.ctl(f"role grant-permission {form} readwrite a b -w {form}")
        s.ctl(f"user grant-role alice {form} -w {form}")
        s.ctl(f"user revoke-role alice {form} -w {form}")
        s.ctl(f"role revoke-permission {form} a b -w {form}")
        s.ctl(f"role list -w {form}")
    s.ctl("role add r1")
    for line in ("read k1", "write k1", "readwrite a z", "read pfx --prefix", "WRITE fk --from-key",
                 'read "" --prefix', 'write "" --from-key', 'read ""', "bad k", "read",
                 "read k --prefix --from-key", "read a b --prefix", "read a b --from-key",
                 "read a b c"):
        s.ctl(f"role grant-permission r1 {line}")
    s.ctl("user grant-role alice r1")
    s.ctl("user get alice")
    for form in FORMS:
        s.ctl(f"role get r1 -w {form}")
        s.ctl(f"user get alice --detail -w {form}")
    for line in ("k1", "k1", "a z", "pfx --prefix", "fk --from-key", '"" --prefix', "",
                 "a --prefix --from-key"):
        s.ctl(f"role revoke-permission r1 {line}")
    for line in ("role add", "role get", "role get nope", "role delete", "role delete nope",
                 "role list x", "role grant-permission nope read k",
                 "role revoke-permission nope k"):
        s.ctl(line)
    for form in FORMS:
        s.ctl(f"role delete {form} -w {form}")


def scenario_authentication(s):
    """`auth enable` gives the user root its role."""
    s.ctl("user add root:rpw")
    s.ctl("role list")
    s.ctl("auth enable")
    s.ctl("auth enable")
    # Passwords take the server a while.
    root, alice = ("--dial-timeout=20s " + user for user in ("--user=root:rpw", "--user=alice:apw"))
    s.ctl(f"{root} auth enable")
    s.ctl(f"{root} role list")
    s.ctl(f"{root} user get root")
    s.ctl(f"{root} role get root")
    s.ctl(f"{root} user add alice:apw")
    s.ctl(f"{root} role add r1")
    s.ctl(f"{root} role grant-permission r1 readwrite a --prefix")
    s.ctl(f"{root} user grant-role alice r1")
    for command in ("user list", "user get alice", "user get root", "role get r1", "role list",
                    "member list", "member add x --peer-urls=http://127.0.0.1:9", "alarm list",
                    "endpoint health", "endpoint hashkv", "defrag", "auth status", "auth disable",
                    "lock a/l echo held", "lock z echo held", "move-leader 1"):
        for user in ("", alice):
            s.ctl(f"{user} {command}".strip())
    wrong = "--dial-timeout=20s --user=alice:wrong"
    for user in ("", alice, wrong):
        s.ctl(f"{user} snapshot save {s.server.folder}/x".strip(), quiet=True,
              label=f"{user} snapshot save")
    s.ctl(f"{wrong} endpoint health")
    s.ctl(f"{wrong} endpoint status")
    s.ctl(f"{root} auth status")
    for command in ("user delete root", "role delete root", "user revoke-role root root"):
        s.ctl(f"{root} {command}")
    s.ctl(f"{root} snapshot save {s.server.folder}/x", quiet=True, label="snapshot save as root",
          mask=[(r"saved at \S+", "saved at <file>")])
    s.ctl(f"{root} auth disable")
    s.ctl("auth disable")
    s.ctl(f"{root} get a")


for scenario in (scenario_users, scenario_roles, scenario_authentication):
    scenario.is_for_etcd = True
