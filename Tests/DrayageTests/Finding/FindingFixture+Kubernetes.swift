extension FindingFixture {
    /// Objects of Kubernetes, as Helm and others write them.
    static let kubernetes = [
        FindingFixture(
            name: "a chart's output",
            text: """
                ---
                # Source: shop/templates/config.yaml
                apiVersion: v1
                kind: ConfigMap
                metadata:
                  name: web
                data:
                  image: not/an-image:1
                  config.yaml: |
                    image: neither/this:1
                --- # Source: shop/templates/deployment.yaml
                apiVersion: apps/v1
                kind: Deployment
                metadata:
                  name: web
                  labels: {"app.kubernetes.io/version": "1.2"}
                spec:
                  template:
                    spec:
                      initContainers:
                        - name: init
                          image: "docker.io/bitnami/os-shell:12"
                      containers:
                        - name: web
                          # größer
                          image: registry.example.com:5000/web:1.2@sha256:\(digest)
                          env: [{name: IMAGE, value: "quay.io/other/thing:1"}]
                        - image: 'nginx'
                      volumes:
                        - name: model
                          image: {reference: quay.io/models/llm:v1, pullPolicy: Always}
                        - emptyDir: {}
                ---
                # Source: shop/templates/hook.yaml
                apiVersion: batch/v1
                kind: Job
                metadata: {generateName: check-}
                spec: {template: {spec: {containers: [{name: a, image: busybox:1}]}}}
                """,
            images: [
                "22 docker.io/bitnami/os-shell:12 Deployment/web spec.template.spec.initContainers[0].image",
                "26 registry.example.com:5000/web:1.2@sha256:\(digest) Deployment/web "
                    + "spec.template.spec.containers[0].image",
                "28 nginx Deployment/web spec.template.spec.containers[1].image",
                "31 quay.io/models/llm:v1 Deployment/web spec.template.spec.volumes[0].image.reference",
                "38 busybox:1 Job/check- spec.template.spec.containers[0].image",
            ]
        ),
        FindingFixture(
            name: "a list in JSON, whose kind comes last",
            text: """
                {
                    "apiVersion": "v1",
                    "items": [
                        {
                            "apiVersion": "v1",
                            "kind": "Pod",
                            "metadata": {"name": "a"},
                            "spec": {
                                "containers": [{"image": "quay.io\\/x\\/y:1", "name": "\\u00e9"}],
                                "ephemeralContainers": [{"image": "busybox:2"}]
                            },
                            "status": {"containerStatuses": [{"image": "quay.io/x/y:1"}]}
                        },
                        {"kind": "List", "apiVersion": "v1", "items": [
                            {"spec": {"jobTemplate": {"spec": {"template": {"spec": {
                                "containers": [{"image": "job:1"}]}}}}},
                             "metadata": {"name": "c"}, "kind": "CronJob", "apiVersion": "batch/v1beta1"}
                        ]}
                    ],
                    "kind": "List"
                }
                """,
            images: [
                "9 quay.io/x/y:1 Pod/a spec.containers[0].image",
                "10 busybox:2 Pod/a spec.ephemeralContainers[0].image",
                "16 job:1 CronJob/c spec.jobTemplate.spec.template.spec.containers[0].image",
            ]
        ),
        FindingFixture(
            name: "a list of one kind",
            text: """
                apiVersion: apps/v1
                kind: DaemonSetList
                items:
                - metadata: {name: a}
                  spec: {template: {spec: {containers: [{image: "a:1"}]}}}
                """,
            images: ["5 a:1 DaemonSet/a spec.template.spec.containers[0].image"]
        ),
        FindingFixture(
            name: "anchors, Windows line ends and a byte order mark",
            text: "\u{feff}"
                + """
                apiVersion: v1
                kind: Pod
                metadata: {annotations: {"größe": &v !!str "app:1"}, name: &n p}
                spec:
                  initContainers:
                  - &c {name: a, image: *v}
                  containers:
                  - *c
                  - image: &i
                      side:1
                  - image: *i
                """.split(separator: "\n").joined(separator: "\r\n"),
            images: [
                "6 app:1 Pod/p spec.initContainers[0].image",
                "10 side:1 Pod/p spec.containers[1].image",
                "11 side:1 Pod/p spec.containers[2].image",
            ]
        ),
        FindingFixture(
            name: "blocks",
            text: """
                apiVersion: v1
                kind: Pod
                spec:
                  containers:
                  - image: >- # folded
                      quay.io/a/b:1

                    name: a
                  - image: |-
                       quay.io/a/c:1
                """,
            images: [
                "5 quay.io/a/b:1 Pod spec.containers[0].image",
                "9 quay.io/a/c:1 Pod spec.containers[1].image",
            ]
        ),
    ]

    static let digest = String(repeating: "0123456789abcdef", count: 4)
}
