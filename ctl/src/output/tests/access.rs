//! Users, roles and authentication.

use retcd_api::authpb::Permission;
use retcd_api::authpb::permission::Type;
use retcd_api::etcdserverpb::{
    AuthRoleGetResponse, AuthRoleListResponse, AuthStatusResponse, AuthUserAddResponse,
    AuthUserGetResponse, AuthUserListResponse,
};

use super::*;

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn users() {
    let list = AuthUserListResponse { header: Some(header(81)), users: names(&["alice", "bob"]) };
    assert_eq!(printed("simple", &list), "alice\nbob\n");
    assert!(printed("json", &list).ends_with(",\"users\":[\"alice\",\"bob\"]}\n"));
    let user = |roles: &[&str]| Named {
        name: "alice".to_owned(),
        response: AuthUserGetResponse { header: Some(header(81)), roles: names(roles) },
    };
    assert_eq!(printed("simple", &user(&[])), "User: alice\nRoles:\n");
    assert_eq!(printed("simple", &user(&["r1", "r2"])), "User: alice\nRoles: r1 r2\n");
    assert!(printed("json", &user(&["r1"])).ends_with(",\"roles\":[\"r1\"]}\n"));
}

#[test]
fn a_role() {
    let permission = |kind: Type, key: &'static str, end: &'static str| Permission {
        perm_type: kind.into(),
        key: key.into(),
        range_end: end.into(),
    };
    let perm = vec![
        permission(Type::Read, "\0", "\0"),
        permission(Type::Readwrite, "a", "z"),
        permission(Type::Write, "fk", "\0"),
        permission(Type::Write, "k1", ""),
        permission(Type::Read, "pfx", "pfy"),
    ];
    let response = AuthRoleGetResponse { header: Some(header(81)), perm };
    let role = Named { name: "r1".to_owned(), response };
    assert_eq!(
        printed("simple", &role),
        "Role r1\nKV Read:\n\t[\0, <open ended>\n\t[a, z)\n\t[pfx, pfy) (prefix pfx)\n\
         KV Write:\n\t[a, z)\n\t[fk, <open ended>\n\tk1\n"
    );
    let json = printed("json", &role);
    let end = ",\"perm\":[{\"key\":\"AA==\",\"range_end\":\"AA==\"},\
               {\"permType\":2,\"key\":\"YQ==\",\"range_end\":\"eg==\"},\
               {\"permType\":1,\"key\":\"Zms=\",\"range_end\":\"AA==\"},\
               {\"permType\":1,\"key\":\"azE=\"},{\"key\":\"cGZ4\",\"range_end\":\"cGZ5\"}]}\n";
    assert!(json.ends_with(end), "{json}");
    let fields = printed("fields", &role);
    let begin = "\"RaftTerm\" : 2\n\"PermType\" :  READ\n\"Key\" : \"\\x00\"\n\
                 \"RangeEnd\" : \"\\x00\"\n\"PermType\" :  READWRITE\n";
    assert!(fields.contains(begin), "{fields}");
}

#[test]
fn roles() {
    let list = AuthRoleListResponse { header: Some(header(81)), roles: names(&["r1", "r2"]) };
    assert_eq!(printed("simple", &list), "r1\nr2\n");
    assert!(printed("fields", &list).ends_with("\"Roles\" : \"r1\" \"r2\"\n"));
}

#[test]
fn the_status_of_authentication() {
    let status = AuthStatusResponse { header: Some(header(81)), enabled: false, auth_revision: 27 };
    assert_eq!(printed("simple", &status), "Authentication Status: false\nAuthRevision: 27\n");
    assert!(printed("json", &status).ends_with(",\"authRevision\":27}\n"));
}

#[test]
fn formats_that_a_response_doesnt_have_are_refused() {
    let mut printer = Printer::new("fields", false).expect("a format");
    let refused = printer.print(&AuthStatusResponse::default()).expect_err("there are none");
    assert_eq!(refused.text(), "Error: fields not supported as output format\n");
    assert_eq!(refused.code(), 4);
    let told = Told::new("done", AuthUserAddResponse::default());
    assert!(printer.print(&told.without_fields()).is_err());
    let mut printer = Printer::new("protobuf", false).expect("a format");
    assert!(printer.print(&Healths(Vec::new())).is_err());
}
