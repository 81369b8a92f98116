//! What can go wrong on the Linux side: one sentence with the cure each.

use std::fmt;
use std::io;
use std::net::IpAddr;

/// Why the Linux side of the underlay could not be set up.
#[derive(Debug)]
pub enum UnderlayError {
    /// CAP_NET_ADMIN, or CAP_SYS_ADMIN for another namespace, is missing.
    Privilege {
        /// What was tried.
        doing: String,
    },
    /// There is no namespace of this name.
    NoNamespace {
        /// Where it was looked for.
        path: String,
    },
    /// The path exists but is no network namespace.
    NotANamespace {
        /// The path.
        path: String,
    },
    /// The kernel offers no TAP devices.
    NoTun,
    /// A device that is no free TAP has the name.
    NameTaken {
        /// The name.
        name: String,
        /// The namespace, in words.
        namespace: String,
        /// What has it.
        by: String,
    },
    /// Not a name that Linux accepts for a device.
    BadName {
        /// The name.
        name: String,
    },
    /// Another interface of the namespace has the address.
    AddressInUse {
        /// The address.
        address: IpAddr,
        /// The other interface.
        by: String,
        /// The twin that was to have it.
        twin: String,
        /// The namespace, in words.
        namespace: String,
    },
    /// The kernel does not take the gateway.
    Gateway {
        /// The gateway.
        gateway: IpAddr,
        /// The twin.
        twin: String,
        /// Why, and what to do.
        why: String,
    },
    /// IPv6 is switched off in the namespace but the twin is to have an IPv6 address.
    NoIpv6 {
        /// The twin.
        twin: String,
        /// The namespace, in words.
        namespace: String,
    },
    /// The kernel refused something else.
    Refused {
        /// What was tried.
        doing: String,
        /// Its answer.
        error: io::Error,
    },
}

impl UnderlayError {
    /// The right error for what the kernel answered to `doing`.
    pub(crate) fn refused(doing: impl Into<String>, error: impl Into<io::Error>) -> Self {
        let (doing, error) = (doing.into(), error.into());
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Privilege { doing },
            _ => Self::Refused { doing, error },
        }
    }
}

impl fmt::Display for UnderlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Privilege { doing } => write!(
                f,
                "no permission to {doing}: run as root, or give the process CAP_NET_ADMIN (and CAP_SYS_ADMIN to enter a \
                 namespace)"
            ),
            Self::NoNamespace { path } => {
                write!(f, "there is no network namespace {path}: create it with 'ip netns add NAME', or correct the name")
            }
            Self::NotANamespace { path } => write!(
                f,
                "{path} is not a network namespace (a leftover of one that is gone, perhaps): remove the file and create \
                 it with 'ip netns add NAME'"
            ),
            Self::NoTun => f.write_str(
                "/dev/net/tun cannot be opened, so there are no TAP devices: load the module with 'modprobe tun', or pass \
                 the device into the container",
            ),
            Self::NameTaken { name, namespace, by } => write!(
                f,
                "the name {name} of the underlay's twin is taken in {namespace} by {by}: give the twin another name, or \
                 remove that device"
            ),
            Self::BadName { name } => write!(
                f,
                "'{name}' is no name for a network device: use 1 to 15 letters, digits, '-', '_' or '.'"
            ),
            Self::AddressInUse { address, by, twin, namespace } => write!(
                f,
                "{address} for {twin} is already the address of {by} in {namespace}: remove it there ('ip addr del'), or \
                 put the twins into a namespace of their own"
            ),
            Self::Gateway { gateway, twin, why } => write!(f, "{gateway} cannot be the gateway of {twin}: {why}"),
            Self::NoIpv6 { twin, namespace } => write!(
                f,
                "{twin} is to have an IPv6 address but IPv6 is off in {namespace}: set the sysctl \
                 net.ipv6.conf.all.disable_ipv6 to 0 (and boot without ipv6.disable=1), or leave the address out"
            ),
            Self::Refused { doing, error } => write!(f, "the kernel refused to {doing}: {error}"),
        }
    }
}

impl std::error::Error for UnderlayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_error_says_which_capability() {
        let error = UnderlayError::refused("open the TAP up0", io::Error::from_raw_os_error(1));
        assert!(matches!(error, UnderlayError::Privilege { .. }));
        assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
    }

    #[test]
    fn other_errors_keep_the_kernels_words() {
        let error = UnderlayError::refused("set the MTU", io::Error::from_raw_os_error(22));
        assert!(error.to_string().starts_with("the kernel refused to set the MTU: Invalid argument"), "{error}");
    }
}
