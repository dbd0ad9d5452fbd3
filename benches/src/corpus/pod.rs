//! A running pod of a deployment as an API server writes it to its store: Kubernetes' protobuf
//! encoding, that is four magic bytes and a `runtime.Unknown` around a `core/v1.Pod`.
//!
//! Field numbers are those of Kubernetes' `generated.proto` files. Alike within a deployment: the
//! spec but for the node and the token volume's name, labels, and who owns and manages the pod.
//! Different for each pod: name, uid, node, addresses, container id and all times. A change of the
//! pod is what the kubelet reports after the container was restarted.

use bytes::Bytes;
use retcd_testkit::random::Random;

use super::deployment::{self, Deployment, TEAMS, hex, letters, uuid};
use super::stream;
use super::wire::Writer;

const MAGIC: &[u8] = b"k8s\0";
/// Nodes of the cluster.
const NODES: u64 = 5_000;
/// A pod has about this many bytes.
const POD_BYTES: usize = 2_100;

/// What the controller manager says that it has set, as in `managedFields`.
const MANAGED_BY_CONTROLLER: &str = concat!(
    r#"{"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{},"#,
    r#""f:team":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"UID\"}":{}}},"f:spec":{"#,
    r#""f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:env":{},"f:image":{},"f:ports":{},"#,
    r#""f:readinessProbe":{},"f:resources":{}}},"f:restartPolicy":{},"f:serviceAccountName":{}}}"#,
);
/// And what the kubelet says.
const MANAGED_BY_KUBELET: &str = concat!(
    r#"{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{".":{},"f:status":{}}},"#,
    r#""f:containerStatuses":{},"f:hostIP":{},"f:phase":{},"f:podIP":{},"f:startTime":{}}}"#,
);

/// What one pod has for itself.
struct Pod {
    deployment: Deployment,
    name: String,
    uid: String,
    node: u64,
    pod_ip: String,
    token_volume: String,
    created_at: u64,
    /// Of the container that runs now.
    started_at: u64,
    container_id: String,
    restarts: u64,
}

/// Key of the pod with this number.
pub(super) fn key(seed: u64, number: u64) -> Bytes {
    let (index, ordinal) = deployment::place(number);
    let deployment = Deployment::new(seed, index);
    let name = deployment.pod_name(ordinal);
    format!("/registry/pods/{}/{name}", deployment.namespace).into()
}

/// First key of one team's pods, and the key after them.
pub(super) fn keys_of_a_team() -> (Bytes, Bytes) {
    let team = TEAMS[TEAMS.len() / 2];
    (format!("/registry/pods/{team}-").into(), format!("/registry/pods/{team}.").into())
}

/// The stored object.
pub(super) fn value(seed: u64, number: u64, generation: u64) -> Bytes {
    let pod = Pod::new(seed, number, generation);
    let mut body = Writer::with_capacity(POD_BYTES);
    body.message(1, |metadata| pod.write_metadata(metadata));
    body.message(2, |spec| pod.write_spec(spec));
    body.message(3, |status| pod.write_status(status));
    let mut object = Writer::with_capacity(POD_BYTES + 64);
    object.raw(MAGIC);
    object.message(1, |type_meta| {
        type_meta.text(1, "v1");
        type_meta.text(2, "Pod");
    });
    object.text(2, body.into_bytes());
    object.text(3, "");
    object.text(4, "");
    object.into_bytes().into()
}

impl Pod {
    fn new(seed: u64, number: u64, generation: u64) -> Pod {
        let (index, ordinal) = deployment::place(number);
        let deployment = Deployment::new(seed, index);
        let mut random = stream(seed, [number, u64::MAX - 1]);
        let node = random.below(NODES);
        let created_at = deployment.rolled_out_at + random.below(60);
        let mut changing = stream(seed, [number, generation]);
        let since = generation * (600 + changing.below(600));
        Pod {
            name: deployment.pod_name(ordinal),
            uid: uuid(&mut random),
            node,
            pod_ip: format!("100.{}.{}.{}", 64 + node / 256, node % 256, 2 + random.below(250)),
            token_volume: format!("kube-api-access-{}", letters(random.number(), 5)),
            created_at,
            started_at: created_at + 1 + random.below(8) + since,
            container_id: container_id(&mut changing),
            restarts: generation,
            deployment,
        }
    }

    fn write_metadata(&self, metadata: &mut Writer) {
        let deployment = &self.deployment;
        metadata.text(1, &self.name);
        metadata.text(2, format!("{}-{}-", deployment.name, deployment.hash));
        metadata.text(3, &deployment.namespace);
        metadata.text(4, "");
        metadata.text(5, &self.uid);
        metadata.text(6, "");
        metadata.number(7, 0);
        time(metadata, 8, self.created_at);
        metadata.entry(11, "app", deployment.app);
        metadata.entry(11, "pod-template-hash", &deployment.hash);
        metadata.entry(11, "team", deployment.team);
        metadata.entry(11, "version", &deployment.version);
        metadata.message(13, |owner| {
            owner.text(1, "ReplicaSet");
            owner.text(3, format!("{}-{}", deployment.name, deployment.hash));
            owner.text(4, &deployment.replica_set_uid);
            owner.text(5, "apps/v1");
            owner.number(6, 1);
            owner.number(7, 1);
        });
        let by_controller = MANAGED_BY_CONTROLLER.replace("UID", &deployment.replica_set_uid);
        managed(metadata, "kube-controller-manager", self.created_at, &by_controller, "");
        managed(metadata, "kubelet", self.started_at + 2, MANAGED_BY_KUBELET, "status");
    }

    fn write_spec(&self, spec: &mut Writer) {
        let deployment = &self.deployment;
        spec.message(1, |volume| self.write_token_volume(volume));
        spec.message(2, |container| self.write_container(container));
        spec.text(3, "Always");
        spec.number(4, 30);
        spec.text(6, "ClusterFirst");
        spec.text(8, &deployment.name);
        spec.text(9, &deployment.name);
        spec.text(10, node_name(self.node));
        for field in [11, 12, 13] {
            spec.number(field, 0);
        }
        spec.message(14, |_| {});
        spec.text(16, "");
        spec.text(17, "");
        spec.text(19, "default-scheduler");
        for reason in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            spec.message(22, |toleration| {
                toleration.text(1, reason);
                toleration.text(2, "Exists");
                toleration.text(3, "");
                toleration.text(4, "NoExecute");
                toleration.number(5, 300);
            });
        }
        spec.text(24, "");
        spec.number(25, 0);
        spec.number(30, 1);
        spec.text(31, "PreemptLowerPriority");
    }

    fn write_token_volume(&self, volume: &mut Writer) {
        volume.text(1, &self.token_volume);
        volume.message(2, |source| {
            source.message(26, |projected| {
                projected.message(1, |source| {
                    source.message(4, |token| {
                        token.text(1, "");
                        token.number(2, 3607);
                        token.text(3, "token");
                    });
                });
                projected.message(1, |source| {
                    source.message(3, |config_map| {
                        config_map.message(1, |name| name.text(1, "kube-root-ca.crt"));
                        config_map.message(2, |item| {
                            item.text(1, "ca.crt");
                            item.text(2, "ca.crt");
                        });
                    });
                });
                projected.number(2, 0o644);
            });
        });
    }

    fn write_container(&self, container: &mut Writer) {
        let deployment = &self.deployment;
        container.text(1, "main");
        container.text(2, &deployment.image);
        container.text(5, "");
        container.message(6, |port| {
            port.text(1, "http");
            port.number(2, 0);
            port.number(3, deployment.port);
            port.text(4, "TCP");
            port.text(5, "");
        });
        container.message(7, |variable| {
            variable.text(1, "LOG_LEVEL");
            variable.text(2, "info");
        });
        container.message(8, |resources| {
            quantity(resources, 1, "memory", deployment.memory);
            quantity(resources, 2, "cpu", deployment.cpu);
            quantity(resources, 2, "memory", deployment.memory);
        });
        container.message(9, |mount| {
            mount.text(1, &self.token_volume);
            mount.number(2, 1);
            mount.text(3, "/var/run/secrets/kubernetes.io/serviceaccount");
            mount.text(4, "");
            mount.text(6, "");
        });
        container.message(11, |probe| {
            probe.message(1, |handler| {
                handler.message(2, |http| {
                    http.text(1, "/healthz");
                    http.message(2, |port| {
                        port.number(1, 0);
                        port.number(2, deployment.port);
                        port.text(3, "");
                    });
                    http.text(3, "");
                    http.text(4, "HTTP");
                });
            });
            for (field, value) in [(2, 5), (3, 1), (4, 10), (5, 1), (6, 3)] {
                probe.number(field, value);
            }
        });
        container.text(13, "/dev/termination-log");
        container.text(14, "IfNotPresent");
        for field in [16, 17, 18] {
            container.number(field, 0);
        }
        container.text(20, "File");
    }

    fn write_status(&self, status: &mut Writer) {
        status.text(1, "Running");
        let ready_at = self.started_at + 2;
        let conditions = [
            ("Initialized", self.created_at),
            ("Ready", ready_at),
            ("ContainersReady", ready_at),
            ("PodScheduled", self.created_at),
        ];
        for (kind, at) in conditions {
            status.message(2, |condition| {
                condition.text(1, kind);
                condition.text(2, "True");
                condition.message(3, |_| {});
                time(condition, 4, at);
                condition.text(5, "");
                condition.text(6, "");
            });
        }
        status.text(3, "");
        status.text(4, "");
        status.text(5, node_ip(self.node));
        status.text(6, &self.pod_ip);
        time(status, 7, self.created_at);
        status.message(8, |container| {
            container.text(1, "main");
            container.message(2, |state| {
                state.message(2, |running| time(running, 1, self.started_at));
            });
            container.message(3, |_| {});
            container.number(4, 1);
            container.number(5, self.restarts);
            container.text(6, &self.deployment.image);
            container.text(7, format!("sha256:{}", self.deployment.image_digest));
            container.text(8, &self.container_id);
            container.number(9, 1);
        });
        status.text(9, "Burstable");
        status.text(11, "");
        status.message(12, |ip| ip.text(1, &self.pod_ip));
    }
}

fn container_id(random: &mut Random) -> String {
    format!("containerd://{}", hex(random, 64))
}

fn node_ip(node: u64) -> String {
    format!("10.{}.{}.{}", 8 + node / 1024, node / 4 % 256, 10 + node % 4 * 60)
}

fn node_name(node: u64) -> String {
    format!("ip-{}.eu-central-1.compute.internal", node_ip(node).replace('.', "-"))
}

fn time(parent: &mut Writer, field: u8, seconds: u64) {
    parent.message(field, |time| {
        time.number(1, seconds);
        time.number(2, 0);
    });
}

fn quantity(parent: &mut Writer, field: u8, name: &str, amount: &str) {
    parent.message(field, |entry| {
        entry.text(1, name);
        entry.message(2, |quantity| quantity.text(1, amount));
    });
}

/// An entry of `managedFields`.
fn managed(parent: &mut Writer, manager: &str, at: u64, fields: &str, subresource: &str) {
    parent.message(17, |entry| {
        entry.text(1, manager);
        entry.text(2, "Update");
        entry.text(3, "v1");
        time(entry, 4, at);
        entry.text(6, "FieldsV1");
        entry.message(7, |raw| raw.text(1, fields));
        entry.text(8, subresource);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::encoding::decode_varint;

    /// A field as it lies: number, and its integer or bytes.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Value<'a> {
        Number(u64),
        Bytes(&'a [u8]),
    }

    /// Reads a message without knowing what it is.
    fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let tag = decode_varint(&mut bytes).expect("a tag");
            let number = decode_varint(&mut bytes).expect("a number or a length");
            let value = match tag & 7 {
                0 => Value::Number(number),
                2 => {
                    let (inside, rest) = bytes.split_at(number as usize);
                    bytes = rest;
                    Value::Bytes(inside)
                }
                other => panic!("wire type {other}"),
            };
            fields.push((tag >> 3, value));
        }
        assert!(fields.is_sorted_by_key(|field| field.0), "fields ascend");
        fields
    }

    /// All messages or strings with this number.
    fn all(message: &[u8], number: u64) -> Vec<&[u8]> {
        let of_number = fields(message).into_iter().filter(|field| field.0 == number);
        let bytes = of_number.map(|field| match field.1 {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) => panic!("field {number} is a number"),
        });
        bytes.collect()
    }

    /// The one at the end of a path of numbers.
    fn at<'a>(message: &'a [u8], path: &[u64]) -> &'a [u8] {
        path.iter().fold(message, |message, number| all(message, *number)[0])
    }

    fn text(message: &[u8], path: &[u64]) -> String {
        String::from_utf8(at(message, path).to_vec()).expect("text")
    }

    #[test]
    fn another_reader_finds_a_pod() {
        let number = 4711;
        let (key, value) = (key(1, number), value(1, number, 0));
        let unknown = value.strip_prefix(MAGIC).expect("the magic");
        assert_eq!(text(unknown, &[1, 1]), "v1");
        assert_eq!(text(unknown, &[1, 2]), "Pod");
        let pod = at(unknown, &[2]);
        let (namespace, name) = (text(pod, &[1, 3]), text(pod, &[1, 1]));
        assert_eq!(key, format!("/registry/pods/{namespace}/{name}"));
        assert!(name.starts_with(&text(pod, &[1, 2])), "the generated name has its prefix");
        assert_eq!(text(pod, &[1, 6]), "", "the store knows the resource version");
        assert_eq!(all(at(pod, &[1]), 11).len(), 4, "labels");
        assert_eq!(text(pod, &[1, 13, 1]), "ReplicaSet");
        assert!(text(pod, &[1, 17, 7, 1]).contains(&text(pod, &[1, 13, 4])), "the owner's uid");
        assert_eq!(text(pod, &[2, 1, 1]), text(pod, &[2, 2, 9, 1]), "the volume is mounted");
        assert_eq!(text(pod, &[2, 2, 2]), text(pod, &[3, 8, 6]), "the image runs");
        let host = text(pod, &[3, 5]).replace('.', "-");
        assert!(text(pod, &[2, 10]).contains(&host), "the node has its address in its name");
        let conditions = all(at(pod, &[3]), 2);
        assert_eq!(conditions.len(), 4);
        let created = fields(at(pod, &[1, 8]));
        assert!(matches!(created[0], (1, Value::Number(seconds)) if seconds >= 1_700_000_000));
        let json = text(pod, &[1, 17, 7, 1]);
        assert!(json.starts_with('{') && json.ends_with('}'));
        assert_eq!(json.matches('{').count(), json.matches('}').count());
    }

    #[test]
    fn pods_have_about_two_kilobytes() {
        let sizes: Vec<usize> = (0..5_000).map(|number| value(1, number, 2).len()).collect();
        let (least, most) = (sizes.iter().min(), sizes.iter().max());
        assert!(sizes.iter().all(|size| (1_800..=2_300).contains(size)), "{least:?} to {most:?}");
    }

    #[test]
    fn a_restart_keeps_what_it_should() {
        let [before, after] = [0, 3].map(|generation| value(1, 42, generation));
        let pod = |value: &Bytes, path: &[u64]| text(&value[MAGIC.len()..], path);
        for path in [[2, 1, 1], [2, 1, 5], [2, 2, 10], [2, 3, 6]] {
            assert_eq!(pod(&before, &path), pod(&after, &path));
        }
        assert_ne!(pod(&before, &[2, 3, 8, 8]), pod(&after, &[2, 3, 8, 8]), "the container's id");
    }
}
