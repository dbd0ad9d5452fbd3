//! Compiles the `.proto` files in plain Rust, so that no `protoc` is needed.
//!
//! The types that clients print can also be written as JSON, as Go's `encoding/json` writes etcd's
//! structs, if the feature `json` is on: fields under their names in the `.proto` files and in
//! their order, empty ones left out, bytes in base64, enums and 64-bit integers as numbers.

use std::error::Error;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FileDescriptorProto};

const FILES: &[&str] = &[
    "auth.proto",
    "etcdserver.proto",
    "header.proto",
    "health.proto",
    "kv.proto",
    "lease.proto",
    "membership.proto",
    "raft.proto",
    "raft_internal.proto",
    "rpc.proto",
    "rpc_auth.proto",
    "v3election.proto",
    "v3lock.proto",
];

/// Where the messages are that clients print.
const PRINTED_FILES: &[&str] =
    &["auth.proto", "header.proto", "kv.proto", "rpc.proto", "rpc_auth.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(FILES, ["proto"])?;
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    for file in &descriptors.file {
        if PRINTED_FILES.contains(&file.name()) {
            describe_file(&mut config, file);
        }
    }
    config.compile_fds(descriptors)?;
    Ok(())
}

fn describe_file(config: &mut prost_build::Config, file: &FileDescriptorProto) {
    for message in &file.message_type {
        if !is_only_sent(message.name()) {
            describe_message(config, &format!(".{}.{}", file.package(), message.name()), message);
        }
    }
}

/// Whether clients send the message and never print it.
fn is_only_sent(name: &str) -> bool {
    name.ends_with("Request") || ["RequestOp", "Compare"].contains(&name)
}

/// Tells serde how Go writes the message called `path`.
fn describe_message(config: &mut prost_build::Config, path: &str, message: &DescriptorProto) {
    assert!(message.nested_type.is_empty(), "{path} has messages within, which aren't described");
    config.message_attribute(path, when_json("derive(serde::Serialize)"));
    for oneof in &message.oneof_decl {
        config.enum_attribute(
            format!("{path}.{}", oneof.name()),
            when_json("derive(serde::Serialize)"),
        );
        // In Go a oneof is a field without a tag: its own name, and present even when empty. An
        // attribute on the field would hold for what is in it, too.
        assert!(message.field.iter().all(|field| field.oneof_index.is_some()), "{path} is mixed");
        config.message_attribute(path, when_json("serde(rename_all = \"PascalCase\")"));
    }
    for field in &message.field {
        let mut rules = vec![format!("rename = \"{}\"", field.name())];
        if field.r#type() == Type::Bytes {
            let is_list = field.label() == Label::Repeated;
            let function = if is_list { "base64_list" } else { "base64" };
            rules.push(format!("serialize_with = \"crate::json::{function}\""));
        }
        let field_path = match field.oneof_index {
            Some(index) => {
                format!("{path}.{}.{}", message.oneof_decl[index as usize].name(), field.name())
            }
            None => {
                rules.push("skip_serializing_if = \"crate::json::is_default\"".to_owned());
                format!("{path}.{}", field.name())
            }
        };
        config.field_attribute(field_path, when_json(&format!("serde({})", rules.join(", "))));
    }
}

fn when_json(attribute: &str) -> String {
    format!("#[cfg_attr(feature = \"json\", {attribute})]")
}
