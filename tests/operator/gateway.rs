//! As much of the Gateway API as the operator looks at; its controller is whoever tests.

use crate::stage::Stage;

/// Makes the kinds known to the API server, which all tests share; once more changes nothing.
pub fn install(stage: &Stage) {
    for (kind, plural) in [("HTTPRoute", "httproutes"), ("Gateway", "gateways")] {
        let path = stage.folder.path().join(plural);
        std::fs::write(&path, definition(kind, plural)).unwrap();
        stage.kubectl(&["apply", "--server-side", "-f", &path.display().to_string()]);
        let name = format!("crd/{plural}.gateway.networking.k8s.io");
        stage.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &name]);
    }
}

fn definition(kind: &str, plural: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
         metadata: {{name: {plural}.gateway.networking.k8s.io, annotations: {{api-approved.kubernetes.io: 'unapproved, tests'}}}}\n\
         spec:\n  group: gateway.networking.k8s.io\n  scope: Namespaced\n\
         \x20 names: {{kind: {kind}, plural: {plural}, singular: {}}}\n\
         \x20 versions:\n  - name: v1\n    served: true\n    storage: true\n    subresources: {{status: {{}}}}\n\
         \x20   schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}\n",
        kind.to_lowercase()
    )
}
