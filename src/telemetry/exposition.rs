//! How numbers are written for a collector: the text format that every one reads, and OpenMetrics for those that
//! ask for it.

use std::borrow::Cow;

/// A format of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' text format, version 0.0.4.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Exposition {
    /// What the header `Accept` asks for: OpenMetrics where it is named and nothing else is liked better.
    pub fn asked(accept: Option<&str>) -> Self {
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let quality = |value: &str| value.parse::<f64>().ok().filter(|value| (0.0..=1.0).contains(value));
            let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
            let liked = parts.filter_map(|part| part.strip_prefix("q=")).find_map(quality).unwrap_or(1.0);
            match essence.as_str() {
                "application/openmetrics-text" => open_metrics = f64::max(open_metrics, liked),
                "text/plain" => text = f64::max(text, liked),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Exposition::OpenMetrics } else { Exposition::Text }
    }

    /// The content type of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Exposition::Text => "text/plain; version=0.0.4; charset=utf-8",
            Exposition::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What was written as OpenMetrics, in this format.
    pub fn of(self, open_metrics: String) -> String {
        match self {
            Exposition::Text => as_text(&open_metrics),
            Exposition::OpenMetrics => open_metrics,
        }
    }
}

/// In the text format a family is named as its samples are (nothing of ours has exemplars), and there are counters, gauges, histograms and summaries only.
fn as_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 256);
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            // Its family's name depends on its type, which comes next.
            help = described.split_once(' ').map(|(_, words)| words);
        } else if let Some((family, kind)) =
            line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (family, kind) = family_as_text(family, kind);
            if let Some(words) = help.take() {
                push_line(&mut text, &["# HELP ", &family, " ", words]);
            }
            push_line(&mut text, &["# TYPE ", &family, " ", kind]);
        } else if !line.starts_with("# ") {
            push_line(&mut text, &[line]);
        }
    }
    text
}

fn family_as_text<'a>(family: &'a str, kind: &'a str) -> (Cow<'a, str>, &'a str) {
    let suffixed = |suffix: &str| match family.ends_with(suffix) {
        true => Cow::Borrowed(family),
        false => Cow::Owned([family, suffix].concat()),
    };
    match kind {
        "counter" => (suffixed("_total"), kind),
        "info" => (suffixed("_info"), "gauge"),
        "unknown" => (Cow::Borrowed(family), "untyped"),
        "stateset" => (Cow::Borrowed(family), "gauge"),
        _ => (Cow::Borrowed(family), kind),
    }
}

fn push_line(text: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| text.push_str(part));
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in
            [prometheus, "application/openmetrics-text", "Application/OpenMetrics-Text; version=1.0.0"]
        {
            assert_eq!(Exposition::asked(Some(accept)), Exposition::OpenMetrics, "{accept}");
        }
        let text = [
            "",
            "*/*",
            "text/plain",
            "text/html, */*;q=0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.3, text/plain;q=0.5",
            "application/json",
        ];
        for accept in text {
            assert_eq!(Exposition::asked(Some(accept)), Exposition::Text, "{accept}");
        }
        assert_eq!(Exposition::asked(None), Exposition::Text);
    }

    #[test]
    fn the_text_format_names_families_as_their_samples() {
        let open_metrics = "# HELP a Calls.\n# TYPE a counter\na_total{x=\" # y\"} 1\n\
                            # HELP b The build.\n# TYPE b info\nb_info{version=\"1\"} 1\n\
                            # HELP c_seconds Time.\n# TYPE c_seconds histogram\n# UNIT c_seconds seconds\n\
                            c_seconds_bucket{le=\"+Inf\"} 0\nc_seconds_sum 0.0\nc_seconds_count 0\n# EOF\n";
        let text = "# HELP a_total Calls.\n# TYPE a_total counter\na_total{x=\" # y\"} 1\n\
                    # HELP b_info The build.\n# TYPE b_info gauge\nb_info{version=\"1\"} 1\n\
                    # HELP c_seconds Time.\n# TYPE c_seconds histogram\n\
                    c_seconds_bucket{le=\"+Inf\"} 0\nc_seconds_sum 0.0\nc_seconds_count 0\n";
        assert_eq!(Exposition::Text.of(open_metrics.to_owned()), text);
        assert_eq!(Exposition::OpenMetrics.of(open_metrics.to_owned()), open_metrics);
    }
}
