//! The season as a picture: who has what over the days, and where all treats are.

use super::season::{Cast, Day, Outcome, Role};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 60.0;

/// Colours that also differ in lightness.
const COLOURS: [&str; 8] =
    ["#1b4f72", "#2e86c1", "#85c1e9", "#7d6608", "#b7950b", "#922b21", "#e6b0aa", "#4a235a"];

/// One panel: its title, and lines with their names.
struct Panel<'a> {
    title: &'a str,
    top: f64,
    lines: Vec<(String, &'a str, Vec<f64>)>,
}

/// A round number that is at least as large.
fn scale(most: f64) -> f64 {
    let step = 10_f64.powf(most.max(1.0).log10().floor());
    (most.max(1.0) / step).ceil() * step
}

impl Panel<'_> {
    fn draw(&self, days: usize, out: &mut String) {
        let most = self.lines.iter().flat_map(|(_, _, values)| values).fold(0.0_f64, |most, v| most.max(*v));
        let (scale, top) = (scale(most), self.top);
        let x = |day: usize| LEFT + WIDTH * day as f64 / days.saturating_sub(1).max(1) as f64;
        let y = |value: f64| top + HEIGHT - HEIGHT * value / scale;
        out.push_str(&format!("<text x=\"{LEFT}\" y=\"{}\" class=\"t\">{}</text>\n", top - 12.0, self.title));
        for part in 0..=4 {
            let value = scale * f64::from(part) / 4.0;
            out.push_str(&format!(
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{:.1}\" y2=\"{:.1}\" class=\"g\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>\n",
                LEFT + WIDTH,
                y(value),
                y(value),
                LEFT - 6.0,
                y(value) + 4.0
            ));
        }
        for (n, (name, colour, values)) in self.lines.iter().enumerate() {
            let points: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(day, value)| format!("{:.1},{:.1}", x(day), y(*value)))
                .collect();
            let at = top + 12.0 + 18.0 * n as f64;
            out.push_str(&format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>\n<rect x=\"{}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/><text x=\"{}\" y=\"{}\">{name}</text>\n",
                points.join(" "),
                LEFT + WIDTH + 16.0,
                at - 10.0,
                LEFT + WIDTH + 34.0,
                at
            ));
        }
        out.push_str(&format!(
            "<text x=\"{LEFT}\" y=\"{}\">day 1</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">day {days}</text>\n",
            top + HEIGHT + 18.0,
            LEFT + WIDTH,
            top + HEIGHT + 18.0
        ));
    }
}

/// Draws it.
pub(super) fn svg(cast: &Cast, outcome: &Outcome) -> String {
    let over = |of: &dyn Fn(&Day) -> f64| outcome.days.iter().map(of).collect::<Vec<f64>>();
    let by_role = Role::ALL.into_iter().zip(COLOURS).map(|(role, colour)| {
        let values = over(&|day| day.treats.get(&role).copied().unwrap_or(0.0));
        (role.name().to_owned(), colour, values)
    });
    let held = |of: fn(&Day) -> u64| over(&|day| of(day) as f64);
    let places = vec![
        ("minted".to_owned(), COLOURS[7], held(|day| day.figures.supply.minted)),
        ("with living pets".to_owned(), COLOURS[1], held(|day| day.figures.held.living_wallets)),
        ("with dead pets".to_owned(), COLOURS[2], held(|day| day.figures.held.dead_wallets)),
        ("for posts".to_owned(), COLOURS[4], held(|day| day.figures.held.granted)),
        ("free".to_owned(), COLOURS[0], held(|day| day.figures.held.free)),
        ("minted for seals".to_owned(), COLOURS[5], held(|day| day.figures.supply.by_seals)),
    ];
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 600\" width=\"820\" height=\"600\">\n<style>text{font:12px sans-serif;fill:#222}.t{font-weight:bold;font-size:14px}.g{stroke:#ddd}</style>\n<rect width=\"820\" height=\"600\" fill=\"#fff\"/>\n",
    );
    let first = format!("Treats an account, by how it plays (seed {})", cast.seed);
    Panel { title: &first, top: 40.0, lines: by_role.collect() }.draw(outcome.days.len(), &mut out);
    Panel { title: "Where the kennel's treats are", top: 330.0, lines: places }
        .draw(outcome.days.len(), &mut out);
    out.push_str("</svg>\n");
    out
}
