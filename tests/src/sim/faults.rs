//! The network's part of the plan.

use std::sync::Arc;

use trill::Channel;
use trill::testing::Host;

use super::model::World;
use super::plan::{self, Fault};

/// Makes a connection for a link of the plan.
pub(super) fn connect(world: &World, host: &Host, of: usize) {
    let plan = &world.plan.links[of];
    let builder =
        Channel::builder().limits(plan::limits(plan.window)).compression(plan.compression);
    match host.connect(builder) {
        Ok((channel, link)) => {
            link.delay(plan.delay.clone());
            link.split_reads(plan.split_reads.clone());
            world.connected(of, channel, link);
        }
        // The server has been shut down, and clients find nobody.
        Err(error) => world.log(&format!("link {of} is not connected: {error}")),
    }
}

/// Lets a link suffer what is planned for it.
pub(super) async fn suffer(world: Arc<World>, host: Host, of: usize) {
    for (pause, fault) in &world.plan.links[of].faults {
        tokio::time::sleep(*pause).await;
        let Some((link, _)) = world.client(of) else { return };
        let knobs = world.knobs(link);
        world.log(&format!("connection {link}: {fault:?}"));
        let time = match fault {
            Fault::Partition(_, time) | Fault::Freeze(_, time) | Fault::Throttle(_, time) => time,
            Fault::Cut(how) => {
                world.will_be_cut(link);
                knobs.cut(*how);
                connect(&world, &host, of);
                continue;
            }
            Fault::CutAfter(direction, bytes, how) => {
                world.will_be_cut(link);
                knobs.cut_after(*direction, *bytes, *how);
                continue;
            }
        };
        world.trouble_begins(link);
        match fault {
            Fault::Partition(direction, _) => knobs.partition(*direction),
            Fault::Freeze(side, _) => knobs.freeze(*side),
            Fault::Throttle(rate, _) => knobs.throttle(*rate),
            Fault::Cut(_) | Fault::CutAfter(..) => {}
        }
        tokio::time::sleep(*time).await;
        knobs.heal();
        knobs.throttle(None);
        world.log(&format!("connection {link} is well again"));
        world.trouble_ends(link);
    }
}

/// Shuts the server down, if that is planned. It must not take longer than it was given.
pub(super) async fn shut_down(world: Arc<World>, host: Host) {
    let Some(plan) = world.plan.shutdown.clone() else { return };
    tokio::time::sleep(plan.at).await;
    world.shuts_down();
    world.log(&format!("the server shuts down within {:?}", plan.grace));
    let before = world.now();
    let _doing = world.doing(usize::MAX, "server", "shuts down");
    host.handle().shutdown(plan.grace).await;
    let took = world.now() - before;
    world.log("the server is shut down");
    if took > plan.grace + std::time::Duration::from_secs(1) {
        world.violate(&format!("a shutdown within {:?} took {took:?}", plan.grace));
    }
}
