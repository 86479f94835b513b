//! The service of `shapes.proto`, and samples of its messages.

use std::collections::HashMap;

use trill::{AsyncReaderWriter, Context, Result, Status};

pub(crate) use wire::{Shape, Shapes, ShapesClient, Which};

use wire::shape::Choice;
use wire::{Colour, Inner};

#[allow(unreachable_pub, clippy::use_self, reason = "generated code is as prost writes it")]
mod wire {
    include!(concat!(env!("OUT_DIR"), "/test.shapes.rs"));
}

/// The names of the samples.
pub(crate) const SAMPLES: [&str; 8] = [
    "empty",
    "full",
    "lowest",
    "highest",
    "defaults set",
    "large",
    "nested choice",
    "unknown enum",
];

/// The sample of that name. `go/shapes.go` has the same.
pub(crate) fn sample(name: &str) -> Option<Shape> {
    Some(match name {
        "empty" => Shape::default(),
        "full" => full(),
        "lowest" => lowest(),
        "highest" => highest(),
        // Present, though they are what absent ones read as.
        "defaults set" => Shape {
            inner: Some(Inner::default()),
            texts: vec![String::new()],
            inners: vec![Inner::default()],
            counts: HashMap::from([(String::new(), 0)]),
            by_number: HashMap::from([(0, Inner::default())]),
            maybe_number: Some(0),
            maybe_text: Some(String::new()),
            maybe_yes: Some(false),
            choice: Some(Choice::Number(0)),
            ..Shape::default()
        },
        "large" => Shape {
            text: "long ".repeat(100_000),
            raw: (0..=255).cycle().take(500_000).collect(),
            packed: (-20_000..20_000).collect(),
            texts: (0..5_000).map(|number| number.to_string()).collect(),
            counts: (0..2_000).map(|number| (format!("key {number}"), -number)).collect(),
            ..Shape::default()
        },
        "nested choice" => Shape { choice: Some(Choice::Nested(nested(50))), ..Shape::default() },
        "unknown enum" => Shape { colour: 77, colours: vec![77, 0], ..Shape::default() },
        _ => return None,
    })
}

fn full() -> Shape {
    Shape {
        real: 0.1,
        small_real: -2.5,
        i32: -3,
        i64: -4,
        u32: 5,
        u64: 6,
        s32: -7,
        s64: -8,
        f32: 9,
        f64: 10,
        sf32: -11,
        sf64: -12,
        yes: true,
        text: "grüße, 世界 \0 end".into(),
        raw: vec![0, 255, 9, 48],
        colour: Colour::Blue.into(),
        inner: Some(nested(2)),
        packed: vec![0, -1, 1, 300],
        loose: vec![1, 0, -1],
        texts: vec!["one".into(), String::new(), "three".into()],
        raws: vec![vec![], vec![0]],
        inners: vec![nested(0), nested(1)],
        colours: vec![Colour::Red.into(), Colour::None.into(), Colour::Below.into()],
        reals: vec![0.5, f64::INFINITY, f64::NEG_INFINITY],
        counts: HashMap::from([("one".into(), 1), (String::new(), -1)]),
        by_number: HashMap::from([(-1, nested(1)), (7, nested(0))]),
        by_truth: HashMap::from([(true, b"yes".to_vec()), (false, vec![])]),
        maybe_number: Some(-40),
        maybe_text: Some("maybe".into()),
        maybe_yes: Some(true),
        choice: Some(Choice::Name("chosen".into())),
        far: "far".into(),
    }
}

fn lowest() -> Shape {
    Shape {
        real: f64::MIN,
        small_real: f32::MIN,
        i32: i32::MIN,
        i64: i64::MIN,
        s32: i32::MIN,
        s64: i64::MIN,
        sf32: i32::MIN,
        sf64: i64::MIN,
        packed: vec![i64::MIN; 3],
        loose: vec![i32::MIN],
        by_number: HashMap::from([(i32::MIN, Inner::default())]),
        choice: Some(Choice::Shade(Colour::Below.into())),
        ..Shape::default()
    }
}

fn highest() -> Shape {
    Shape {
        real: f64::MAX,
        small_real: f32::MAX,
        i32: i32::MAX,
        i64: i64::MAX,
        u32: u32::MAX,
        u64: u64::MAX,
        s32: i32::MAX,
        s64: i64::MAX,
        f32: u32::MAX,
        f64: u64::MAX,
        sf32: i32::MAX,
        sf64: i64::MAX,
        packed: vec![i64::MAX; 3],
        loose: vec![i32::MAX],
        by_number: HashMap::from([(i32::MAX, Inner::default())]),
        choice: Some(Choice::Number(u64::MAX)),
        ..Shape::default()
    }
}

/// A message in a message, so many times.
fn nested(depth: usize) -> Inner {
    let mut inner = Inner { name: "innermost".into(), inner: None, many: vec![] };
    for level in 0..depth {
        let many = vec![Inner { name: "beside".into(), inner: None, many: vec![] }];
        inner = Inner { name: level.to_string(), inner: Some(Box::new(inner)), many };
    }
    inner
}

/// Serves [`Shapes`] as its `.proto` says.
pub(crate) struct Mirror;

#[trill::service]
impl Shapes for Mirror {
    async fn sample(&self, _cx: Context, which: Which) -> Result<Shape> {
        sample(&which.name).ok_or_else(|| Status::app(404, "no such sample").into())
    }

    async fn echo(&self, _cx: Context, shape: Shape) -> Result<Shape> {
        Ok(shape)
    }

    async fn talk(&self, _cx: Context, mut rw: AsyncReaderWriter<Shape, Shape>) -> Result<()> {
        while let Some(shape) = rw.read().await? {
            rw.write(shape).await?;
        }
        Ok(())
    }
}
