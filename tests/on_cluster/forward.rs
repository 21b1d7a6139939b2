//! `kubectl port-forward`, for as long as it is held.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use crate::node::Node;

/// A forwarded port of this machine's loopback.
pub struct Forward {
    child: Child,
    /// Held open: kubectl ends when it cannot write.
    _output: BufReader<ChildStdout>,
    /// `127.0.0.1:…`.
    pub address: String,
}

impl Forward {
    /// To a port of a Service.
    pub fn to(node: &Node, namespace: &str, service: &str, port: &str) -> Self {
        let (service, port) = (format!("service/{service}"), format!(":{port}"));
        let mut command = node.command("kubectl");
        command.args(["port-forward", "-n", namespace, &service, &port]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output is piped"));
        output.read_line(&mut line).unwrap();
        let address = line.split(' ').find(|word| word.starts_with("127.0.0.1:"));
        let address = address.unwrap_or_else(|| panic!("kubectl port-forward said {line:?}")).to_owned();
        Self { child, _output: output, address }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
