"""With which settings does each program of a node run? Pure: names, paths and addresses in, text out."""

import json
from dataclasses import dataclass
from pathlib import Path

from support.cluster.real_node.addresses import Addresses

SOCKET = "/run/containerd/containerd.sock"
NODE = "mizzen-node"
DOMAIN = "cluster.local"
_PLUGINS = "/usr/lib/cni"
_CRI = 'plugins."io.containerd.grpc.v1.cri"'


@dataclass(frozen=True)
class Files:
    """Where a node's settings are."""

    folder: Path

    @property
    def containerd(self) -> Path:
        """containerd's configuration."""
        return self.folder / "containerd.toml"

    @property
    def images(self) -> Path:
        """containerd's root."""
        return self.folder / "containerd"

    @property
    def networks(self) -> Path:
        """Folder of the pod network's configuration."""
        return self.folder / "networks"

    @property
    def kubelet(self) -> Path:
        """The kubelet's configuration."""
        return self.folder / "kubelet.json"

    @property
    def proxy(self) -> Path:
        """kube-proxy's configuration."""
        return self.folder / "kube-proxy.json"

    @property
    def names(self) -> Path:
        """CoreDNS' configuration."""
        return self.folder / "Corefile"

    @property
    def caller(self) -> Path:
        """Certificate with which the API server calls the kubelet, which is also all that the kubelet trusts."""
        return self.folder / "kubelet-client.crt"

    @property
    def caller_key(self) -> Path:
        """Its key."""
        return self.folder / "kubelet-client.key"

    @property
    def volumes(self) -> Path:
        """Folder of the persistent volumes."""
        return self.folder / "volumes"

    @property
    def resolver(self) -> Path:
        """A resolv.conf that knows nobody: names outside are not looked up."""
        return self.folder / "resolv.conf"

    def kubeconfig(self, program: str) -> Path:
        """Of a program of the node."""
        return self.folder / f"{program}.kubeconfig"


def containerd(files: Files, pause: str) -> str:
    """Root and state of its own. Without CAP_SYS_RESOURCE runc could not lower a container's oom_score_adj."""
    return f"""version = 2
root = "{files.images}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
path = "{files.folder}/opt"
[{_CRI}]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[{_CRI}.containerd]
snapshotter = "overlayfs"
[{_CRI}.cni]
bin_dir = "{_PLUGINS}"
conf_dir = "{files.networks}"
"""


def network(addresses: Addresses) -> str:
    """Each pod has a cable to the node, which routes: Services work between pods without a bridge's netfilter hooks."""
    ranges = [[{"subnet": addresses.pods}]]
    address = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}
    plugins = [{"type": "ptp", "ipam": address}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}, indent=1)


def kubelet(files: Files, addresses: Addresses, group: str) -> str:
    """It asks the API server who a caller is and what they may do."""
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": addresses.node,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(files.caller)},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{group}",
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "clusterDNS": [addresses.node],
            "clusterDomain": DOMAIN,
            "resolvConf": str(files.resolver),
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": str(files.folder / "volume-plugins"),
            "nodeStatusUpdateFrequency": "5s",
        },
        indent=1,
    )


def proxy(files: Files, addresses: Addresses) -> str:
    """iptables; the sizes of the connection table belong to the machine and stay as they are."""
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(files.kubeconfig("kube-proxy"))},
            "hostnameOverride": NODE,
            "bindAddress": addresses.node,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clusterCIDR": addresses.pods,
            "oomScoreAdj": 0,
            "iptables": {"minSyncPeriod": "200ms", "localhostNodePorts": False},
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        },
        indent=1,
    )


def names(files: Files, addresses: Addresses) -> str:
    """The cluster's own names; every other one does not exist."""
    return f"""{DOMAIN}:53 in-addr.arpa:53 {{
    bind {addresses.node}
    errors
    kubernetes {DOMAIN} in-addr.arpa {{
        kubeconfig {files.kubeconfig("coredns")}
        pods insecure
        ttl 5
    }}
}}
.:53 {{
    bind {addresses.node}
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def api_server(files: Files, addresses: Addresses) -> list[str]:
    """What the API server needs beyond the usual: its address, the Services' network, and how it calls the kubelet."""
    return [
        f"--bind-address={addresses.machine}",
        f"--advertise-address={addresses.machine}",
        "--endpoint-reconciler-type=lease",
        f"--service-cluster-ip-range={addresses.services}",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={files.caller}",
        f"--kubelet-client-key={files.caller_key}",
    ]
