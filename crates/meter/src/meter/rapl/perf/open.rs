//! Opens events with the kernel.

#[cfg(target_os = "linux")]
pub(crate) use linux::kernel;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::sync::Arc;

    use perf_event::events::Event;
    use perf_event::{Builder, Counter, ReadFormat};
    use perf_event_open_sys::bindings::perf_event_attr;

    use super::super::{Asked, Group, Opener};

    /// Opens the kernel's events.
    pub(crate) fn kernel() -> Opener {
        Arc::new(|asked| Ok(Box::new(Opened::open(asked)?)))
    }

    /// An event of a source that the kernel numbers as it finds it.
    struct Numbered {
        pmu: u32,
        config: u64,
    }

    impl Event for Numbered {
        fn update_attrs(self, attr: &mut perf_event_attr) {
            attr.type_ = self.pmu;
            attr.config = self.config;
        }
    }

    /// Counters that are read through the first of them.
    struct Opened {
        leader: Counter,
        /// Held open: the kernel takes a counter out of its group when it is closed.
        _others: Vec<Counter>,
    }

    impl Opened {
        fn open(asked: &Asked<'_>) -> io::Result<Opened> {
            let builder = |config| {
                let mut builder = Builder::new(Numbered { pmu: asked.pmu, config });
                // A package draws for whoever runs on it: an event that leaves out any of them is refused.
                builder.any_pid().one_cpu(asked.cpu).exclude_kernel(false).exclude_hv(false);
                builder.enabled(true).read_format(ReadFormat::GROUP);
                builder
            };
            let mut configs = asked.configs.iter();
            let first = configs.next().ok_or(io::ErrorKind::InvalidInput)?;
            let mut leader = builder(*first).build()?;
            let join = |config: &u64| builder(*config).build_with_group(&mut leader);
            let others = configs.map(join).collect::<io::Result<_>>()?;
            Ok(Opened { leader, _others: others })
        }
    }

    impl Group for Opened {
        fn read(&mut self, counts: &mut [u64]) -> io::Result<()> {
            let read = self.leader.read_group()?;
            if read.len() != counts.len() {
                let why = format!("{} counters instead of {}", read.len(), counts.len());
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            for (count, entry) in counts.iter_mut().zip(&read) {
                *count = entry.value();
            }
            Ok(())
        }
    }
}

/// Opens nothing: there are such events on Linux only.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kernel() -> super::Opener {
    std::sync::Arc::new(|_| Err(std::io::ErrorKind::Unsupported.into()))
}
