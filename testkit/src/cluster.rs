//! Several server processes that are one cluster.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::ports::hold_addresses;
use crate::server::{LAST_LINES, Server, ServerOptions, StartError};
use crate::wire_cutter::WireCutter;

/// How often ports are chosen anew.
const ATTEMPTS_MAX: u32 = 5;

/// Members by number. A member keeps its addresses and its data directory as long as the cluster
/// is there, whether it runs or not.
#[derive(Debug)]
pub struct Cluster {
    options: ServerOptions,
    folder: PathBuf,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    addresses: [SocketAddr; 2],
    /// Where its peers reach it: its own address, or a door in front of it.
    peer_door: SocketAddr,
    /// Its id, once somebody has told it.
    id: Arc<OnceLock<u64>>,
    /// How it was told to begin.
    beginning: [String; 2],
    server: Option<Server>,
}

impl Cluster {
    /// Founds a cluster of `size` members and waits until all serve. Their data directories are
    /// made in `folder`; the data directory that `options` name isn't used.
    pub fn start(
        options: ServerOptions,
        folder: &Path,
        size: usize,
    ) -> Result<Cluster, StartError> {
        Cluster::start_behind(options, folder, size, None)
    }

    /// As [`Cluster::start`]; members reach each other through doors of `cutter`. It has to be told
    /// their ids: see [`Cluster::tell_id`].
    pub fn start_behind(
        options: ServerOptions,
        folder: &Path,
        size: usize,
        cutter: Option<&WireCutter>,
    ) -> Result<Cluster, StartError> {
        let mut attempt = 1;
        loop {
            let folder = folder.join(format!("cluster-{attempt}"));
            match Cluster::start_once(options.clone(), &folder, size, cutter) {
                // A port that was free a moment ago isn't any more.
                Err(error) if error.is_port_taken() && attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                }
                started => return started,
            }
        }
    }

    fn start_once(
        options: ServerOptions,
        folder: &Path,
        size: usize,
        cutter: Option<&WireCutter>,
    ) -> Result<Cluster, StartError> {
        let spawn_error = |error| StartError::Spawn(options.binary.clone(), error);
        let mut places = Vec::new();
        // Let go when all have theirs, doors too.
        let mut held = Vec::new();
        for _ in 0..size {
            held.push(hold_addresses().map_err(spawn_error)?);
            let addresses = held[held.len() - 1].addresses;
            let id: Arc<OnceLock<u64>> = Arc::default();
            let door = match cutter {
                None => addresses[1],
                Some(cutter) => {
                    let id = id.clone();
                    let id = move || id.get().copied();
                    cutter.door(addresses[1], id).map_err(spawn_error)?
                }
            };
            places.push((addresses, door, id));
        }
        drop(held);
        let named: Vec<String> =
            (0..).zip(&places).map(|(number, (_, door, _))| peer_of(number, *door)).collect();
        let mut cluster = Cluster { options, folder: folder.to_owned(), members: Vec::new() };
        for (number, (addresses, peer_door, id)) in places.into_iter().enumerate() {
            let beginning = [named.join(","), "new".to_owned()];
            let (name, server) = (name_of(number), None);
            let member = Member { name, addresses, peer_door, id, beginning, server };
            cluster.add_member(member, &[])?;
        }
        for number in 0..size {
            cluster.wait_until_ready(number)?;
        }
        Ok(cluster)
    }

    /// How many members there have been.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The addresses for clients of those that run.
    pub fn endpoints(&self) -> Vec<String> {
        let running = self.members.iter().filter(|member| member.server.is_some());
        running.map(|member| member.addresses[0].to_string()).collect()
    }

    /// The address for clients of one member.
    pub fn endpoint(&self, number: usize) -> String {
        self.members[number].addresses[0].to_string()
    }

    /// Where a member's data is.
    pub fn data_dir(&self, number: usize) -> PathBuf {
        self.folder.join(&self.members[number].name)
    }

    /// Tells a member's id to the door in front of it.
    pub fn tell_id(&self, number: usize, id: u64) {
        // It is told once, and never changes.
        let _ = self.members[number].id.set(id);
    }

    /// The running server of a member.
    ///
    /// # Panics
    ///
    /// If it doesn't run.
    pub fn server(&self, number: usize) -> &Server {
        self.members[number].server.as_ref().expect("the member runs")
    }

    /// Kills a member.
    pub fn kill(&mut self, number: usize) -> io::Result<()> {
        if let Some(server) = self.members[number].server.take() {
            server.kill()?;
        }
        Ok(())
    }

    /// Stops a member cleanly. If that takes longer than the members' patience, it is killed, and
    /// the error holds the end of all members' logs.
    pub fn stop(&mut self, number: usize) -> io::Result<()> {
        match self.members[number].server.take() {
            Some(server) => {
                server.terminate().map(drop).map_err(|error| self.explain(number, error))
            }
            None => Ok(()),
        }
    }

    /// Waits for a member to end by itself, and tells with which code. If it goes on for longer
    /// than the members' patience, it is killed, and the error holds the end of all members' logs.
    pub fn wait(&mut self, number: usize) -> io::Result<Option<i32>> {
        match self.members[number].server.take() {
            Some(server) => {
                let ended = server.wait().map_err(|error| self.explain(number, error))?;
                Ok(ended.code())
            }
            None => Ok(None),
        }
    }

    /// Adds to an error of a member what the others have logged last.
    fn explain(&self, number: usize, error: io::Error) -> io::Error {
        let mut text = format!("{}: {error}", self.members[number].name);
        for Member { name, server, .. } in &self.members {
            if let Some(server) = server {
                let last = server.log().last_lines(LAST_LINES);
                text.push_str(&format!("\nthe log of {name} ends with:\n{last}"));
            }
        }
        io::Error::new(error.kind(), text)
    }

    /// Starts a member that was stopped, on what it has, and waits until it serves.
    pub fn restart(&mut self, number: usize) -> Result<(), StartError> {
        self.restart_with(number, &[])
    }

    /// As [`Cluster::restart`], with more arguments for this once.
    pub fn restart_with(&mut self, number: usize, arguments: &[&str]) -> Result<(), StartError> {
        self.spawn(number, arguments)?;
        self.wait_until_ready(number)
    }

    /// As [`Cluster::restart`], and doesn't wait.
    pub fn begin_restart(&mut self, number: usize) -> Result<(), StartError> {
        self.spawn(number, &[])
    }

    /// Starts all members that don't run, and waits until they serve.
    pub fn restart_all(&mut self) -> Result<(), StartError> {
        let mut started = Vec::new();
        for number in 0..self.members.len() {
            if self.members[number].server.is_none() {
                self.spawn(number, &[])?;
                started.push(number);
            }
        }
        started.into_iter().try_for_each(|number| self.wait_until_ready(number))
    }

    /// Addresses for a member to come, and the URL under which the cluster has to be told of it.
    pub fn next_member(&self) -> io::Result<([SocketAddr; 2], String)> {
        let own: Vec<SocketAddr> =
            self.members.iter().flat_map(|member| member.addresses).collect();
        // Those of a member that doesn't run may seem to be free.
        let mut taken = Vec::new();
        let addresses = loop {
            let held = hold_addresses()?;
            if !held.addresses.iter().any(|address| own.contains(address)) {
                break held.addresses;
            }
            taken.push(held);
        };
        Ok((addresses, format!("http://{}", addresses[1])))
    }

    /// Starts a member of which the cluster was told, and waits until it serves. `gone` are
    /// members that don't belong to the cluster any more. Answers its number.
    pub fn join(
        &mut self,
        addresses: [SocketAddr; 2],
        gone: &[usize],
    ) -> Result<usize, StartError> {
        let number = self.begin_join(addresses, gone, &[])?;
        self.wait_until_ready(number)?;
        Ok(number)
    }

    /// As [`Cluster::join`], with more arguments for this once, and doesn't wait.
    pub fn begin_join(
        &mut self,
        addresses: [SocketAddr; 2],
        gone: &[usize],
        arguments: &[&str],
    ) -> Result<usize, StartError> {
        let number = self.members.len();
        let others = self.members.iter().enumerate().filter(|(other, _)| !gone.contains(other));
        let mut named: Vec<String> =
            others.map(|(other, member)| peer_of(other, member.peer_door)).collect();
        named.push(peer_of(number, addresses[1]));
        let member = Member {
            name: name_of(number),
            addresses,
            peer_door: addresses[1],
            id: Arc::default(),
            beginning: [named.join(","), "existing".to_owned()],
            server: None,
        };
        self.add_member(member, arguments)?;
        Ok(number)
    }

    /// Starts a member, on what it has or for the first time.
    fn spawn(&mut self, number: usize, arguments: &[&str]) -> Result<(), StartError> {
        let mut options = self.options_of(&self.members[number]);
        options.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let member = &mut self.members[number];
        member.server = Some(Server::spawn(&options, member.addresses)?);
        Ok(())
    }

    /// Waits until a member serves that was just started. One that doesn't is killed.
    fn wait_until_ready(&mut self, number: usize) -> Result<(), StartError> {
        let place = &mut self.members[number].server;
        let server = place.as_mut().expect("it was just started");
        let ready = server.wait_until_ready(self.options.patience);
        if ready.is_err() {
            place.take();
        }
        ready
    }

    fn add_member(&mut self, member: Member, arguments: &[&str]) -> Result<(), StartError> {
        self.members.push(member);
        self.spawn(self.members.len() - 1, arguments)
    }

    fn options_of(&self, member: &Member) -> ServerOptions {
        let [named, state] = &member.beginning;
        let mut options = self.options.clone();
        options.data_dir = self.folder.join(&member.name);
        options
            .argument("--name")
            .argument(&member.name)
            .argument("--initial-cluster")
            .argument(named)
            .argument("--initial-cluster-state")
            .argument(state)
            .argument("--initial-advertise-peer-urls")
            .argument(format!("http://{}", member.peer_door))
    }
}

fn name_of(number: usize) -> String {
    format!("m{number}")
}

fn peer_of(number: usize, door: SocketAddr) -> String {
    format!("{}=http://{door}", name_of(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::shell;
    use std::time::Duration;

    #[test]
    fn a_member_that_does_not_end_is_shown_with_the_others_last_words() {
        let patience = Duration::from_millis(300);
        let options = ServerOptions::new("sh", Path::new("/nowhere")).patience(patience);
        let mut cluster = Cluster { options, folder: PathBuf::new(), members: Vec::new() };
        for number in 0..2 {
            let server = shell(&format!("echo I am {number} >&2; exec sleep 600"), patience);
            let said = format!("I am {number}");
            server.log().wait_for_line(&said, Duration::from_secs(60)).expect("it says so");
            cluster.members.push(Member {
                name: name_of(number),
                addresses: [server.client_address(), server.peer_address()],
                peer_door: server.peer_address(),
                id: Arc::default(),
                beginning: Default::default(),
                server: Some(server),
            });
        }
        let error = cluster.wait(0).expect_err("it goes on");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let text = error.to_string();
        assert!(text.starts_with("m0: process "), "{text}");
        assert!(text.contains("its log ends with:\nI am 0\n"), "{text}");
        assert!(text.ends_with("the log of m1 ends with:\nI am 1"), "{text}");
        assert_eq!(cluster.wait(0).expect("it was killed"), None);
    }
}
