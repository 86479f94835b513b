//! One run, from its seed to its verdict.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use futures::future::join_all;
use tokio::runtime::Builder;
use trill::Server;
use trill::testing::Network;

use super::model::World;
use super::plan::{self, Plan};
use super::server::{Handlers, PLANNED_PANIC};
use super::{client, faults, watch};

/// How long a run may take, in virtual time. The longest wait that a plan may hold is that for a
/// unary call's timeout, 10 s.
const LIMIT: Duration = Duration::from_secs(120);

/// The figures of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many things happened that the model wrote down.
    pub lines: u64,
    /// Stands for all of them: two runs that did the same have the same.
    pub hash: u64,
    /// How much virtual time passed.
    pub took: Duration,
}

/// A promise that was broken.
#[derive(Debug)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// The violation, in words.
    pub what: String,
    /// The plan of the run.
    pub plan: Plan,
    /// The last things that happened.
    pub tail: Vec<String>,
}

/// Runs the plan of a seed.
///
/// # Errors
/// A promise was broken.
///
/// # Panics
/// If the system has no resources for a runtime.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    silence_planned_panics();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of one thread needs little");
    let plan = Plan::new(seed);
    let (world, took) = runtime.block_on(async {
        let world = World::new(plan.clone(), crate::now());
        let before = world.now();
        let acted = tokio::time::timeout(LIMIT, act(&world));
        tokio::select! {
            biased;
            () = world.failed.notified() => {}
            acted = acted => if acted.is_err() {
                world.violate(&format!("it hangs: {}", world.waits()));
            },
        }
        let took = world.now() - before;
        (world, took)
    });
    let (tail, lines, hash) = world.trace();
    match world.violation() {
        None => Ok(Report { lines, hash, took }),
        Some(what) => Err(Box::new(Failure { seed, what, plan, tail })),
    }
}

async fn act(world: &Arc<World>) {
    let network = Network::new(world.plan.seed);
    let server = Server::builder()
        .service(Handlers(Arc::clone(world)))
        .limits(plan::limits(world.plan.server_window));
    let host = network.serve(server).expect("the plan keeps to what can be set");
    let mut others = vec![
        tokio::spawn(watch::measure(Arc::clone(world))),
        tokio::spawn(faults::shut_down(Arc::clone(world), host.clone())),
    ];
    for of in 0..world.plan.links.len() {
        faults::connect(world, &host, of);
        others.push(tokio::spawn(faults::suffer(Arc::clone(world), host.clone(), of)));
        others.push(tokio::spawn(watch::keep_pace(Arc::clone(world), of)));
    }
    drop(host);
    let calls =
        (0..world.plan.calls.len()).map(|call| tokio::spawn(client::call(Arc::clone(world), call)));
    for (call, ended) in join_all(calls).await.into_iter().enumerate() {
        if let Err(error) = ended {
            world.violate(&format!("the client of call {call}: {error}"));
        }
    }
    world.log("all calls have ended");
    world.set_over();
    for ended in join_all(others).await {
        if let Err(error) = ended {
            world.violate(&format!("one who looks on: {error}"));
        }
    }
    for (_, link) in world.links() {
        link.heal();
    }
    watch::quiet(world).await;
    world.drop_channels();
    watch::gone(world).await;
    world.look_back();
}

/// A panic that was planned says nothing new.
fn silence_planned_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            if text.or(payload.downcast_ref().copied()) != Some(PLANNED_PANIC) {
                usual(panic);
            }
        }));
    });
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, plan, tail } = self;
        writeln!(f, "seed {seed}: {what}\n")?;
        writeln!(f, "shutdown {:?}, server's window {}", plan.shutdown, plan.server_window)?;
        for (number, link) in plan.links.iter().enumerate() {
            writeln!(f, "link {number}: {link:?}")?;
        }
        for (number, call) in plan.calls.iter().enumerate() {
            writeln!(f, "call {number}: {call:?}")?;
        }
        writeln!(f, "\nthe last of what happened:")?;
        for line in tail {
            writeln!(f, "{line}")?;
        }
        write!(f, "\nagain: cargo run --release -p trill-tests --bin sim -- --seed {seed}")
    }
}
