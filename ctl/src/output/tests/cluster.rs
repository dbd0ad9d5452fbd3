//! Members, endpoints and alarms.

use std::time::Duration;

use retcd_api::etcdserverpb::{
    AlarmMember, AlarmResponse, AlarmType, HashKvResponse, Member, MemberListResponse,
    StatusResponse,
};

use super::*;

const M2: u64 = 0x117b_9266_988c_4966;

const BORDER: &str = concat!(
    "+------------------+-----------+------+-------------------",
    "-----+------------------------+------------+\n"
);

const HEADINGS: &str = concat!(
    "|        ID        |  STATUS   | NAME |       PEER ADDRS  ",
    "     |      CLIENT ADDRS      | IS LEARNER |\n"
);

fn cluster_header(member_id: u64, revision: i64) -> ResponseHeader {
    ResponseHeader { cluster_id: 0xec9d_d700_b095_9a79, member_id, revision, raft_term: 2 }
}

fn members() -> MemberListResponse {
    let started = Member {
        id: M2,
        name: "m2".to_owned(),
        peer_ur_ls: vec!["http://127.0.0.1:22380".to_owned()],
        client_ur_ls: vec!["http://127.0.0.1:22379".to_owned()],
        is_learner: false,
    };
    let unstarted = Member {
        id: 0xa2e7_ff8b_1e22_bd1b,
        name: String::new(),
        peer_ur_ls: vec!["http://127.0.0.1:24380".to_owned()],
        client_ur_ls: Vec::new(),
        is_learner: true,
    };
    let header = Some(cluster_header(0x599d_e777_4412_011f, 0));
    MemberListResponse { header, members: vec![started, unstarted] }
}

#[test]
fn a_list_of_members() {
    let list = Members::new(members(), false);
    assert_eq!(
        printed("simple", &list),
        "117b9266988c4966, started, m2, http://127.0.0.1:22380, http://127.0.0.1:22379, false\n\
         a2e7ff8b1e22bd1b, unstarted, , http://127.0.0.1:24380, , true\n"
    );
    assert_eq!(
        printed("table", &list),
        [
            BORDER,
            HEADINGS,
            BORDER,
            concat!(
                "| 117b9266988c4966 |   started |   m2 | http://127.0.0.1:2",
                "2380 | http://127.0.0.1:22379 |      false |\n"
            ),
            concat!(
                "| a2e7ff8b1e22bd1b | unstarted |      | http://127.0.0.1:2",
                "4380 |                        |       true |\n"
            ),
            BORDER,
        ]
        .concat()
    );
    assert_eq!(
        printed("json", &list),
        "{\"header\":{\"cluster_id\":17050020162257132153,\"member_id\":6457571940148314399,\
         \"raft_term\":2},\"members\":[{\"ID\":1259761490123835750,\"name\":\"m2\",\
         \"peerURLs\":[\"http://127.0.0.1:22380\"],\"clientURLs\":[\"http://127.0.0.1:22379\"]},\
         {\"ID\":11738631926735617307,\"peerURLs\":[\"http://127.0.0.1:24380\"],\
         \"isLearner\":true}]}\n"
    );
    assert_eq!(
        printed("json*", &Members::new(members(), true)),
        "{\"header\":{\"cluster_id\":\"ec9dd700b0959a79\",\"member_id\":\"599de7774412011f\",\
         \"raft_term\":2},\"members\":[{\"ID\":\"117b9266988c4966\",\"name\":\"m2\",\
         \"peerURLs\":[\"http://127.0.0.1:22380\"],\"clientURLS\":[\"http://127.0.0.1:22379\"]},\
         {\"ID\":\"a2e7ff8b1e22bd1b\",\"name\":\"\",\
         \"peerURLs\":[\"http://127.0.0.1:24380\"],\"clientURLS\":null}]}\n"
    );
    let fields = printed("fields", &list);
    let end = "\"ID\" : 1259761490123835750\n\"Name\" : \"m2\"\n\
               \"PeerURL\" : \"http://127.0.0.1:22380\"\n\
               \"ClientURL\" : \"http://127.0.0.1:22379\"\n\"IsLearner\" : false\n\n";
    assert!(fields.contains(end), "{fields}");
}

#[test]
fn a_table_without_rows() {
    let border = "+----------+------+\n";
    let table = format!("{border}| ENDPOINT | HASH |\n{border}{border}");
    assert_eq!(printed("table", &Hashes(Vec::new())), table);
    assert_eq!(printed("json", &Hashes(Vec::new())), "[]\n");
    assert_eq!(printed("simple", &Hashes(Vec::new())), "");
}

#[test]
fn a_status() {
    let status = |errors: &[&str]| {
        let response = StatusResponse {
            header: Some(cluster_header(M2, 1)),
            version: "3.5.1".to_owned(),
            db_size: 20_480,
            leader: M2,
            raft_index: 8,
            raft_term: 2,
            raft_applied_index: 8,
            errors: errors.iter().map(|&error| error.to_owned()).collect(),
            db_size_in_use: 16_384,
            ..StatusResponse::default()
        };
        Statuses(vec![Status { endpoint: "127.0.0.1:22379".to_owned(), response }])
    };
    assert_eq!(
        printed("simple", &status(&[])),
        "127.0.0.1:22379, 117b9266988c4966, 3.5.1, 20 kB, true, false, 2, 8, 8, \n"
    );
    assert_eq!(
        printed("json", &status(&[])),
        "[{\"Endpoint\":\"127.0.0.1:22379\",\"Status\":{\"header\":{\
         \"cluster_id\":17050020162257132153,\"member_id\":1259761490123835750,\"revision\":1,\
         \"raft_term\":2},\"version\":\"3.5.1\",\"dbSize\":20480,\
         \"leader\":1259761490123835750,\"raftIndex\":8,\"raftTerm\":2,\"raftAppliedIndex\":8,\
         \"dbSizeInUse\":16384}}]\n"
    );
    let alarm = "memberID:2185233399518806002 alarm:NOSPACE ";
    assert_eq!(
        printed("fields", &status(&[alarm])),
        "\"ClusterID\" : 17050020162257132153\n\"MemberID\" : 1259761490123835750\n\
         \"Revision\" : 1\n\"RaftTerm\" : 2\n\"Version\" : \"3.5.1\"\n\"DBSize\" : 20480\n\
         \"Leader\" : 1259761490123835750\n\"IsLearner\" : false\n\"RaftIndex\" : 8\n\
         \"RaftTerm\" : 2\n\"RaftAppliedIndex\" : 8\n\
         \"Errors\" : [memberID:2185233399518806002 alarm:NOSPACE ]\n\
         \"Endpoint\" : \"127.0.0.1:22379\"\n\n"
    );
    let table = printed("table", &status(&[alarm]));
    let rows: Vec<&str> = table.lines().skip(3).collect();
    assert!(rows[0].ends_with("|                  8 | memberID:2185233399518806002 |"), "{table}");
    assert!(rows[1].ends_with("|                    |                alarm:NOSPACE |"), "{table}");
    assert_eq!(rows.len(), 3);
}

#[test]
fn health() {
    let took = Duration::from_nanos(3_761_878);
    let dead = Duration::from_nanos(5_002_014_371);
    let problem = Some("context deadline exceeded".to_owned());
    let healths = Healths(vec![
        Health::new("127.0.0.1:21379", took, None),
        Health::new("127.0.0.1:1", dead, problem),
    ]);
    assert_eq!(
        printed("simple", &healths),
        "127.0.0.1:21379 is healthy: successfully committed proposal: took = 3.761878ms\n"
    );
    assert_eq!(
        printed("json", &healths),
        "[{\"endpoint\":\"127.0.0.1:21379\",\"health\":true,\"took\":\"3.761878ms\"},\
         {\"endpoint\":\"127.0.0.1:1\",\"health\":false,\"took\":\"5.002014371s\",\
         \"error\":\"context deadline exceeded\"}]\n"
    );
    assert_eq!(
        printed("fields", &healths),
        "\"Endpoint\" : \"127.0.0.1:21379\"\n\"Health\" : true\n\"Took\" : 3.761878ms\n\
         \"Error\" : \n\n\"Endpoint\" : \"127.0.0.1:1\"\n\"Health\" : false\n\
         \"Took\" : 5.002014371s\n\"Error\" : context deadline exceeded\n\n"
    );
    let table = printed("table", &healths);
    assert!(table.contains("\n|    ENDPOINT     | HEALTH |     TOOK     |"), "{table}");
    let row = "\n|     127.0.0.1:1 |  false | 5.002014371s | context deadline exceeded |\n";
    assert!(table.contains(row), "{table}");
}

#[test]
fn hashes() {
    let response = HashKvResponse {
        header: Some(cluster_header(M2, 1)),
        hash: 1_084_519_789,
        compact_revision: -1,
        hash_revision: 0,
    };
    let hashes = Hashes(vec![Hash { endpoint: "127.0.0.1:22379".to_owned(), response }]);
    assert_eq!(printed("simple", &hashes), "127.0.0.1:22379, 1084519789\n");
    let json = printed("json", &hashes);
    let begin = "[{\"Endpoint\":\"127.0.0.1:22379\",\"HashKV\":{\"header\"";
    assert!(json.starts_with(begin), "{json}");
    assert!(json.ends_with(",\"hash\":1084519789,\"compact_revision\":-1}}]\n"), "{json}");
    let fields = printed("fields", &hashes);
    let end = "\"Endpoint\" : \"127.0.0.1:22379\"\n\"Hash\" : 1084519789\n\n";
    assert!(fields.ends_with(end), "{fields}");
}

#[test]
fn alarms() {
    let member_id = 2_185_233_399_518_806_002;
    let alarm = AlarmMember { member_id, alarm: AlarmType::Nospace.into() };
    let response = AlarmResponse { header: Some(header(11)), alarms: vec![alarm] };
    assert_eq!(printed("simple", &response), "memberID:2185233399518806002 alarm:NOSPACE \n");
    let fields = printed("fields", &response);
    let end = "\"MemberID\" : 2185233399518806002\n\"AlarmType\" : NOSPACE\n\n";
    assert!(fields.ends_with(end), "{fields}");
    let json = printed("json", &response);
    let end = ",\"alarms\":[{\"memberID\":2185233399518806002,\"alarm\":1}]}\n";
    assert!(json.ends_with(end), "{json}");
    assert_eq!(printed("json", &AlarmResponse::default()), "{}\n");
}
