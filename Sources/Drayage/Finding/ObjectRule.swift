/// How images are found in an object.
enum ObjectRule: Equatable {
    /// Each of its items is an object.
    case items
    /// The whole file is a list of references.
    case elements
    /// It has a pod, whose specification has this path.
    case pod(specification: String)
    case kustomization
    case compose
    /// It has no images, whatever its fields are called.
    case nothing
    /// All fields that are called so.
    case fields

    init(for object: ScannedObject) {
        if object.isSequence {
            self = .elements
        } else if let group = object.group, let kind = object.kind {
            self = Self.rule(forGroup: group, kind, hasItems: object.items != nil)
        } else if object.isKustomization {
            self = .kustomization
        } else if object.apiVersion == nil, object.kind == nil, object.hasServices, object.hasComposeKeysOnly {
            self = .compose
        } else {
            self = .fields
        }
    }

    private static func rule(forGroup group: Substring, _ kind: String, hasItems: Bool) -> ObjectRule {
        if hasItems, kind.hasSuffix("List") { return .items }
        if group == "kustomize.config.k8s.io" { return .kustomization }
        if let specification = podSpecification(ofGroup: group, kind) { return .pod(specification: specification) }
        return isBuiltIn(group, kind) ? .nothing : .fields
    }

    /// Whether Kubernetes itself has a kind that has no pods.
    private static func isBuiltIn(_ group: Substring, _ kind: String) -> Bool {
        switch group {
        case "": coreKinds.contains(kind)
        case "apps": kind == "ControllerRevision"
        case "batch": false
        default: groups.contains(group)
        }
    }

    /// The kinds of the core group that have no pods; OpenShift once had others there.
    private static let coreKinds: Set<String> = [
        "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node",
        "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "Secret", "Service", "ServiceAccount", "Status",
    ]

    /// The other groups of Kubernetes itself.
    private static let groups: Set<Substring> = [
        "admission.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
        "auditregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling",
        "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions",
        "flowcontrol.apiserver.k8s.io", "imagepolicy.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io",
        "node.k8s.io", "policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io",
        "settings.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
    ]

    private static func podSpecification(ofGroup group: Substring, _ kind: String) -> String? {
        switch (group, kind) {
        case ("", "Pod"): "spec"
        case ("", "PodTemplate"): "template.spec"
        case ("batch", "CronJob"): "spec.jobTemplate.spec.template.spec"
        case ("", "ReplicationController"): "spec.template.spec"
        case ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("apps", "DaemonSet"):
            "spec.template.spec"
        case ("extensions", "Deployment"), ("extensions", "ReplicaSet"), ("extensions", "DaemonSet"):
            "spec.template.spec"
        case ("batch", "Job"), ("extensions", "Job"): "spec.template.spec"
        default: nil
        }
    }
}

extension ScannedObject {
    /// Whether it says that it is a kustomization: the kind and the version are both optional there.
    fileprivate var isKustomization: Bool {
        guard let apiVersion else { return kind == "Kustomization" }
        return kind == nil && apiVersion.hasPrefix("kustomize.config.k8s.io/")
    }
}
