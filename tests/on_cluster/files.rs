//! What is on a claim's volume, wherever that is: a Pod reads it out.

use std::process::Stdio;

use crate::space::Space;

const IMAGE: &str = "localhost/reader:1";

/// A copy of all files of a claim's volume, on this machine.
pub fn files_of(space: &Space, claim: &str) -> tempfile::TempDir {
    let busybox = String::from_utf8(
        std::process::Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap().stdout,
    );
    let program = format!("/bin/busybox={}", busybox.unwrap().trim());
    space.node.load(IMAGE, &[&program], &["/bin/busybox", "sleep", "600"]);
    let pod = format!("reader-of-{claim}");
    space.apply(&MANIFEST.replace("@POD@", &pod).replace("@CLAIM@", claim).replace("@IMAGE@", IMAGE));
    space.until_ready(&format!("pod/{pod}"));
    let folder = tempfile::tempdir().unwrap();
    let read =
        ["-n", &space.name, "exec", &pod, "--", "/bin/busybox", "tar", "-C", "/volume", "-cf", "-", "."];
    let mut reading = space.node.command("kubectl").args(read).stdout(Stdio::piped()).spawn().unwrap();
    let archive = reading.stdout.take().expect("it is piped");
    let mut unpacked = space.node.command("tar");
    unpacked.args(["-x", "--no-same-owner", "-C"]).arg(folder.path()).stdin(archive);
    assert!(unpacked.status().unwrap().success(), "what was read of {claim} is unpacked");
    assert!(reading.wait().unwrap().success(), "{claim} is read");
    space.ask(&["delete", "pod", &pod, "--grace-period=1"]);
    folder
}

const MANIFEST: &str = "
apiVersion: v1
kind: Pod
metadata: {name: @POD@}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: reader
      image: @IMAGE@
      imagePullPolicy: IfNotPresent
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: volume, mountPath: /volume}]
  volumes: [{name: volume, persistentVolumeClaim: {claimName: @CLAIM@}}]
";
